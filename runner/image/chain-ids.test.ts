import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { chainIds } from './chain-ids.ts';

test('a layer is named with those below it', () => {
  expect(chainIds([])).toEqual([]);
  expect(chainIds(['sha256:a'])).toEqual(['sha256:a']);
  const second = `sha256:${createHash('sha256').update('sha256:a sha256:b').digest('hex')}`;
  expect(chainIds(['sha256:a', 'sha256:b'])).toEqual(['sha256:a', second]);
});
