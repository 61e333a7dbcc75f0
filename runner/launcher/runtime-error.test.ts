import { expect, test } from 'vitest';
import { runtimeError } from './runtime-error.ts';
import { CATEGORY } from './wire.ts';

const told = (object: string, command: string) =>
  runtimeError(
    'launch container 1',
    { category: CATEGORY.runtime, errno: 10, value: 0, operation: 'create', object },
    command,
  );

test.each([
  [
    'launch.command-not-found',
    '{"level":"error","msg":"runc create failed: unable to start container process: exec: \\"nosuch\\": executable file not found in $PATH","time":"2026-01-01T00:00:00Z"}',
    'nosuch',
  ],
  [
    'launch.command-not-found',
    '{"level":"error","msg":"runc create failed: unable to start container process: exec: \\"/no/such\\": stat /no/such: no such file or directory","time":"x"}',
    '/no/such',
  ],
  [
    'launch.command-not-found',
    '{ "msg": "executable file `nosuch` not found in $PATH: No such file or directory", "level": "error"}',
    'nosuch',
  ],
  ['launch.command-not-executable', '{"level":"error","msg":"exec: \\"/etc\\": permission denied"}', '/etc'],
  ['launch.command-not-executable', '{ "msg": "open executable: Operation not permitted" }', '/etc'],
  // What is missing is not the command.
  ['launch.failed', '{"level":"error","msg":"error mounting \\"/a\\" to rootfs: no such file or directory"}', 'sh'],
  ['launch.failed', '/usr/bin/crun', 'sh'],
  ['launch.failed', '', ''],
])('%s', (code, line, command) => {
  expect(told(line, command).code).toBe(code);
});

test('the text is the message, also of a line that was cut off', () => {
  expect(told('{"level":"error","msg":"cannot \\"do\\" \\u0041, and th', 'sh').message).toBe(
    'launch container 1: create: cannot "do" A, and th',
  );
  expect(told('/usr/bin/crun', 'sh').message).toContain('/usr/bin/crun failed and logged nothing');
});
