import { readFileSync, readlinkSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { defaultIdMappings } from '../../runner/os/subordinate-ids.ts';
import { EngineRoom } from './engine-room.ts';

let room: EngineRoom;
let imageId: string;
let container: ContainerRecord;
beforeAll(async () => {
  room = await EngineRoom.open();
  imageId = await room.image();
  container = await room.start(imageId, { usernsMode: 'private' });
});
afterAll(() => room[Symbol.asyncDispose]());

const inside = async (script: string): Promise<string> => {
  const { stdout, stderr } = await room.exec(container.id, ['sh', '-c', `(${script}) 2>&1`]);
  return stdout + stderr;
};
const hostRoot = defaultIdMappings.uid.hostID;

test('root in it is nobody on the host, in the first process and in an exec', async () => {
  const field = (pid: number, name: string) =>
    new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  for (const name of ['Uid', 'Gid'])
    expect(field(container.pid, name)?.split('\t')).toEqual(Array(4).fill(`${hostRoot}`));
  expect(await inside('id -u; cat /proc/self/setgroups')).toBe('0\nallow\n');
  for (const type of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
    expect(readlinkSync(`/proc/${container.pid}/ns/${type}`)).not.toBe(readlinkSync(`/proc/self/ns/${type}`));
  }
});

test('ids outside of its range do not exist', async () => {
  const { containerID, size } = defaultIdMappings.uid;
  expect(await inside(`touch /tmp/f; chown ${containerID + size} /tmp/f`)).toContain('Invalid argument');
  expect(await inside(`touch /tmp/g; chown ${containerID + size - 1} /tmp/g; stat -c %u /tmp/g`)).toBe(`${size - 1}\n`);
});

test('it makes no device node, mounts nothing, and enters no namespace', async () => {
  expect(await inside('mknod /tmp/disk b 254 0')).toContain('not permitted');
  expect(await inside('mount -t tmpfs none /tmp')).toMatch(/denied|not permitted/);
  expect(
    await inside('probe syscalls | grep -E "^(setns|unshare-user|unshare-mount|clone-user|bpf|init_module) "'),
  ).toBe('unshare-user 1\nunshare-mount 1\nsetns 1\nbpf 1\ninit_module 1\nclone-user 1\n');
});

test('with every capability it is still none of the host', async () => {
  const options = { usernsMode: 'private', capAdd: ['ALL'], seccomp: 'unconfined' };
  const script = [
    'mknod /tmp/disk b 254 0',
    'echo 1 > /proc/sys/kernel/panic',
    'echo x > /proc/sysrq-trigger',
    'echo 1 > /sys/kernel/profiling',
    'date -s 2001-01-01',
    'sysctl -w kernel.core_pattern=x',
    'dmesg -c',
  ];
  // A kernel without sysrq has no such file.
  const refusal = /not permitted|Permission denied|Read-only file system|nonexistent directory/;
  const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
  for (const line of script) {
    const { stdout } = await room.run(imageId, `(${line}) 2>&1`, options);
    expect([line, stdout]).toEqual([line, expect.stringMatching(refusal)]);
  }
  expect(readFileSync('/proc/sys/kernel/core_pattern', 'utf8')).toBe(before);
});

test('what it writes is its own root’s, in a data root that nobody else passes', async () => {
  await inside('cp /bin/busybox /root/sh; chmod 4755 /root/sh');
  const path = `${room.dataRoot}/containers/${container.id}/upper/root/sh`;
  expect(statSync(path).uid).toBe(0); // as it would be in any container: the mount maps the owners
  expect(statSync(room.dataRoot).mode & 0o077).toBe(0);
  expect(await inside('stat -c %u /root/sh; echo 127.0.0.9 x >> /etc/hosts && tail -n 1 /etc/hosts')).toBe(
    '0\n127.0.0.9 x\n',
  );
});

test('processes of the host and of other containers are out of its reach', async () => {
  const other = await room.start(imageId);
  expect(await inside(`kill -9 ${other.pid}`)).toContain('No such process');
  expect(await inside(`ls /proc/${other.pid}`)).toContain('No such file');
  await room.engine.call('remove', other.id, { force: true });
});
