import { expect, inject, test } from 'vitest';

const { pause } = inject('guest');

test('a paused container uses no processor while another does, and goes on afterwards', () => {
  expect(pause.frozen).toEqual(['1', '1']);
  expect(pause.paused).toBe(0);
  expect(pause.resumed).toBeGreaterThan(0);
});
