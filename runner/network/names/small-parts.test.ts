import { expect, test } from 'vitest';
import { frame, FrameReader } from './frame.ts';
import { redirectScript } from './redirect-rules.ts';
import { Slots } from './slots.ts';

test('messages come out of a stream however it is cut', () => {
  const messages = ['one', '', 'three'].map((text) => Buffer.from(text));
  const stream = Buffer.concat(messages.map(frame));
  for (let cut = 1; cut <= stream.length; cut += 1) {
    const reader = new FrameReader();
    const taken: Buffer[] = [];
    for (let at = 0; at < stream.length; at += cut) taken.push(...reader.take(stream.subarray(at, at + cut)));
    expect(taken).toEqual(messages);
  }
});

test('slots are bounded in all and for each asker, and come back once', () => {
  const slots = new Slots({ total: 3, each: 2 });
  const first = slots.take('a');
  expect(slots.take('a')).toBeDefined();
  expect(slots.take('a')).toBeUndefined();
  expect(slots.take('b')).toBeDefined();
  expect(slots.take('c')).toBeUndefined();
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  expect(slots.take('c')).toBeDefined();
  expect(slots.take('d')).toBeUndefined();
});

test('the table has an element for each gateway and transport; without gateways there is none', () => {
  const script = redirectScript('abc123', [{ gateway: '10.1.0.1', ports: { udp: 5000, tcp: 5001 } }]);
  expect(script).toContain('10.1.0.1 . tcp : 10.1.0.1 . 5001, 10.1.0.1 . udp : 10.1.0.1 . 5000');
  expect(redirectScript('abc123', [])).toBe('add table ip berth-names-abc123; delete table ip berth-names-abc123');
});

test.each([
  ['an instance', () => redirectScript('a; flush', [])],
  ['an address', () => redirectScript('abc', [{ gateway: '10.1.0.1; x', ports: { udp: 1, tcp: 1 } }])],
  ['a port', () => redirectScript('abc', [{ gateway: '10.1.0.1', ports: { udp: 0, tcp: 1 } }])],
])('%s that is none does not reach nft', (_, make) => {
  expect(make).toThrow('names: ');
});
