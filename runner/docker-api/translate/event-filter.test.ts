import { expect, test } from 'vitest';
import { eventFilters } from './event-filter.ts';

test('a filter that nobody knows is no filter, as with dockerd', () => {
  expect([...eventFilters('{"type":["image"],"colour":["red"]}')]).toEqual([['type', ['image']]]);
  expect([...eventFilters(undefined)]).toEqual([]);
  expect(() => eventFilters('[')).toThrow('is no JSON object');
});
