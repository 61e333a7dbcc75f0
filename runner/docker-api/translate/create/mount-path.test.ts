import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cleanedPath } from './mount-path.ts';

test('as the standard library, but for the slash at the end', () => {
  const part = fc.constantFrom('a', 'b.c', '.', '..', '', '...');
  fc.assert(
    fc.property(fc.boolean(), fc.array(part), (absolute, parts) => {
      const path = `${absolute ? '/' : ''}${parts.join('/')}`;
      expect(cleanedPath(path)).toBe(posix.normalize(path).replace(/(.)\/$/, '$1'));
    }),
  );
});
