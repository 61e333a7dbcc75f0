import { expect, test } from 'vitest';
import { routeFinder } from './route-match.ts';

const find = routeFinder({ 'GET /images/json': 1, 'GET /images/{name:path}/json': 2, 'DELETE /containers/{id}': 3 });

test('names stand for one piece of a path, or several; the first route wins', () => {
  expect(find('GET /images/json')).toEqual({ value: 1, parameters: {} });
  expect(find('GET /images/quay.io/a/b:1/json')).toEqual({ value: 2, parameters: { name: 'quay.io/a/b:1' } });
  expect(find('DELETE /containers/a%2Fb')).toEqual({ value: 3, parameters: { id: 'a/b' } });
  expect(find('DELETE /containers/%ff')).toEqual({ value: 3, parameters: { id: '%ff' } });
});

test('another method, a missing piece and a longer path are no match', () => {
  for (const key of ['POST /images/json', 'DELETE /containers/', 'DELETE /containers/a/b', 'GET /imagesXjson']) {
    expect(find(key)).toBeUndefined();
  }
});
