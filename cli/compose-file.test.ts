import fc from 'fast-check';
import { expect, test } from 'vitest';
import { objectName } from '#shared/model/names.ts';
import { normalisedName, stackName } from './compose-file.ts';

test('the name is the given one, else that in the file, else that of the directory', () => {
  expect(stackName('given', 'name: infile', 'Some Dir')).toBe('given');
  expect(stackName(undefined, 'name: infile', 'Some Dir')).toBe('infile');
  expect(stackName(undefined, 'services: {}', 'My App_2')).toBe('my-app-2');
});

test('a file that is not YAML is for the control plane to judge', () => {
  expect(stackName(undefined, 'a: [', 'dir')).toBe('dir');
  expect(stackName(undefined, '- 1', 'dir')).toBe('dir');
  expect(stackName(undefined, '', 'dir')).toBe('dir');
});

test('no name, or one that cannot be one, is an error with a remedy', () => {
  expect(() => stackName(undefined, '', '')).toThrow('the stack has no name');
  expect(() => stackName('Upper', '', '')).toThrow('"Upper" cannot name a stack');
});

test("a directory's name becomes empty or a valid name, whatever it is", () => {
  fc.assert(
    fc.property(fc.string(), (directory) => {
      const name = normalisedName(directory);
      expect(name === '' || objectName.safeParse(name).success).toBe(true);
    }),
  );
});
