import { expect, test } from 'vitest';
import { devicesAt, hostDevices } from './devices.ts';

test('a device of the host at another path', () => {
  expect(devicesAt('/dev/zero', '/dev/nil')).toEqual([
    expect.objectContaining({ path: '/dev/nil', type: 'c', major: 1, minor: 5 }),
  ]);
  expect(devicesAt('/proc/self/root/dev/zero', '/x')).toMatchObject([{ major: 1, minor: 5 }]);
});

test('the devices of a directory keep their names', () => {
  const [first] = devicesAt('/dev', '/devices').filter(({ path }) => path === '/devices/full');
  expect(first).toMatchObject({ type: 'c', major: 1, minor: 7 });
});

test.each([
  ['/dev/none', 'no such file or directory'],
  ['/etc/passwd', 'not a device node'],
  ['/proc/self/task', 'not a device node'],
])('%s is none', (path, why) => {
  const text = `error gathering device information while adding custom device "${path}": ${why}`;
  expect(() => devicesAt(path, path)).toThrow(text);
});

test('the host has devices, of which those are left out that each container has', () => {
  const paths = hostDevices().map(({ path }) => path);
  expect(paths).toContain('/dev/null');
  expect(paths.filter((path) => /^\/dev\/(ptmx|console|pts\/|shm\/)/.test(path))).toEqual([]);
});
