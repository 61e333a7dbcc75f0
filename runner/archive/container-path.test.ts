import { expect, test } from 'vitest';
import { containerPath } from './container-path.ts';

test.each([
  ['/etc/passwd', 'etc/passwd', false, 'passwd'],
  ['etc', 'etc', false, 'etc'],
  ['/etc/', 'etc', true, 'etc'],
  ['/etc/.', 'etc', true, '.'],
  ['/', '', true, '/'],
  ['.', '', true, '/'],
  ['', '', false, '/'],
  ['/a/../../b', 'b', false, 'b'],
  ['/a//b///c', 'a/b/c', false, 'c'],
  ['/..', '', false, '/'],
])('%s', (text, path, follow, name) => {
  expect(containerPath(text)).toEqual({ path, follow, name });
});
