import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { VolumeRoom } from './volume-room.ts';

let room: VolumeRoom;

beforeAll(async () => {
  room = await VolumeRoom.open();
});
afterAll(() => room[Symbol.asyncDispose]());
afterEach(() => room.clear());

test.each([
  [
    ['-v', 'vv:/x/..'],
    `invalid volume specification: 'vv:/x/..': invalid mount config for type "volume": invalid specification: destination can't be '/'`,
  ],
  [
    ['-v', '/tmp:x'],
    `invalid volume specification: '/tmp:x': invalid mount config for type "bind": invalid mount path: 'x' mount path must be absolute`,
  ],
  [['-v', '/tmp:/x:odd'], 'invalid mode: odd'],
  [['-v', '/tmp:/x', '-v', '/etc:/x'], 'Duplicate mount point: /x'],
  [['-v', '/tmp:/x', '--mount', 'type=tmpfs,target=/x'], 'Duplicate mount point: /x'],
  [['-v', '/tmp:/x', '--tmpfs', '/x'], 'Duplicate mount point: /x'],
  [['--tmpfs', '/'], "invalid specification: destination can't be '/'"],
  [['--tmpfs', '/t:odd'], 'invalid tmpfs option ["odd"]'],
  [['-v', '/etc/passwd'], 'cannot mount volume over existing file, file exists /etc/passwd'],
  [['-v', 'named:/etc/passwd'], 'source /etc/passwd is not directory'],
  [['--volumes-from', 'nobody'], 'No such container: nobody'],
  [['--storage-opt', 'size=1g'], "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"],
  [
    ['-v', 'a/b:/x'],
    'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ],
])('run %j is refused', async (options, text) => {
  expect(await room.refusal('run', '--rm', ...options, 'busybox', 'true')).toBe(text);
  expect(await room.volumeNames()).toEqual([]);
});

test.each([
  ['/tmp', '/etc/passwd'],
  ['/proc/version', '/etc'],
])('%s upon %s: a directory upon a file, or the other way round', async (source, target) => {
  expect(await room.refusal('run', '--rm', '-v', `${source}:${target}`, 'busybox', 'true')).toMatch(
    /rootfs at "\/etc(\/passwd)?": .*not a directory: unknown: Are you trying to mount a directory onto a file \(or vice-versa\)\? Check if/,
  );
});

test('/proc and /sys stay as they are', async () => {
  expect(await room.refusal('run', '--rm', '-v', `${room.directory}:/proc/self/attr`, 'busybox', 'true')).toContain(
    `error mounting "${room.directory}" to rootfs at "/proc/self/attr": "/proc/self/attr" cannot be mounted because it is inside /proc`,
  );
  expect(await room.refusal('run', '--rm', '-v', `${room.directory}:/sys/kernel`, 'busybox', 'true')).toContain(
    'cannot be mounted because it is inside /sys',
  );
});
