import { expect, inject, test } from 'vitest';

const { pages } = inject('guest');
const ENOMEM = 12;
const SIGBUS = 128 + 7;

test('huge pages beyond the limit are refused, though the host has them, and the kernel counts it', () => {
  expect(pages.there).toBeGreaterThan(3);
  expect(pages.two).toBe(0);
  expect(pages.three).toBe(ENOMEM);
  expect(pages.threeUnreserved).toBe(SIGBUS);
  expect(pages.refusals).toBeGreaterThanOrEqual(2);
});

test('an update lets a container have more of them', () => {
  expect(pages.updated).toBe(0);
});
