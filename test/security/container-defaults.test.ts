import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerRecord } from '../../runner/container/engine.ts';
import { EngineRoom } from './engine-room.ts';

let room: EngineRoom;
let imageId: string;
let container: ContainerRecord;
beforeAll(async () => {
  room = await EngineRoom.open();
  imageId = await room.image();
  container = await room.start(imageId);
});
afterAll(() => room[Symbol.asyncDispose]());

const namespaces = ['mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'] as const;
const dockerCapabilities = '00000000a80425fb';
const none = '0000000000000000';

const status = (text: string, field: string): string =>
  (new RegExp(`^${field}:[ \t]*(.*)$`, 'm').exec(text)?.[1] ?? '').trim();
const inside = async (script: string, options: object = {}): Promise<string> => {
  const { stdout, stderr } = await room.exec(container.id, ['sh', '-c', `(${script}) 2>&1`], options);
  return stdout + stderr;
};
/** Runs a program of the host in some of the container's namespaces. */
const entered = (...args: string[]): string =>
  execFileSync('nsenter', ['--target', String(container.pid), ...args], { encoding: 'utf8' });

describe('namespaces', () => {
  test.each(namespaces)('%s differs from that of the host, of the runner and of another container', async (name) => {
    const other = await room.start(imageId);
    const of = (pid: number | 'self') => readlinkSync(`/proc/${pid}/ns/${name}`);
    expect(new Set([of('self'), of(container.pid), of(other.pid)]).size).toBe(3);
    expect(of(container.pid)).not.toBe(of(room.engine.pid));
    await room.engine.call('remove', other.id, { force: true });
  });

  test('what nsenter finds in them is the container’s', () => {
    expect(entered('--uts', 'hostname')).toBe(`${container.id.slice(0, 12)}\n`);
    const links = JSON.parse(entered('--net', 'ip', '-json', 'address')) as { ifname: string }[];
    expect(links.map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
    expect(entered('--ipc', 'ipcs', '-q').trim().split('\n')).toHaveLength(2);
    expect(entered('--mount', '--pid', '/bin/busybox', 'ps', '-o', 'pid,args')).toMatch(/^\s+1 sleep 1000$/m);
    expect(entered('--cgroup', '--mount', '/bin/busybox', 'grep', '^0', '/proc/1/cgroup')).toBe('0::/\n');
  });

  test('an exec is in the same ones', async () => {
    const links = await inside(namespaces.map((name) => `readlink /proc/self/ns/${name}`).join(';'));
    expect(links.trim().split('\n')).toEqual(
      namespaces.map((name) => readlinkSync(`/proc/${container.pid}/ns/${name}`)),
    );
  });
});

describe('privileges', () => {
  test("capabilities of root are exactly Docker's fourteen; inheritable and ambient are empty", async () => {
    for (const text of [readFileSync(`/proc/${container.pid}/status`, 'utf8'), await inside('cat /proc/self/status')]) {
      for (const set of ['CapBnd', 'CapEff', 'CapPrm']) expect(status(text, set)).toBe(dockerCapabilities);
      for (const set of ['CapInh', 'CapAmb']) expect(status(text, set)).toBe(none);
      expect(status(text, 'Seccomp')).toBe('2');
      expect(status(text, 'NoNewPrivs')).toBe('0');
      // The primary group among them (CVE-2022-36109): what is denied to it by a file's mode stays denied.
      expect(status(text, 'Groups')).toBe('0');
      expect(status(text, 'Uid')).toBe('0\t0\t0\t0');
    }
  });

  test('a user other than root has no capability, and the groups of the image alone', async () => {
    const text = await inside('cat /proc/self/status', { user: 'nobody' });
    for (const set of ['CapEff', 'CapPrm', 'CapInh', 'CapAmb']) expect(status(text, set)).toBe(none);
    expect(status(text, 'CapBnd')).toBe(dockerCapabilities);
    expect(status(text, 'Uid')).toBe('65534\t65534\t65534\t65534');
    expect(status(text, 'Gid')).toBe('65534\t65534\t65534\t65534');
    expect(status(text, 'Groups')).toBe('65534');
    expect(status(await inside('cat /proc/self/status', { user: '1234:5678' }), 'Gid')).toBe('5678\t5678\t5678\t5678');
  });

  test('no-new-privileges on request, also for an exec', async () => {
    const strict = await room.start(imageId, { noNewPrivileges: true });
    const text = readFileSync(`/proc/${strict.pid}/status`, 'utf8');
    expect([status(text, 'NoNewPrivs'), status(text, 'Seccomp')]).toEqual(['1', '2']);
    const { stdout } = await room.exec(strict.id, ['grep', 'NoNewPrivs', '/proc/self/status']);
    expect(stdout).toBe('NoNewPrivs:\t1\n');
    await room.engine.call('remove', strict.id, { force: true });
  });

  test.each(['the first process', 'an exec'])("the filter of %s refuses what Docker's refuses", async (which) => {
    const { stdout } =
      which === 'an exec'
        ? await room.exec(container.id, ['probe', 'syscalls'])
        : await room.run(imageId, 'exec probe syscalls');
    const results = new Map(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.split(' ') as [string, string]),
    );
    const named = (errno: string) => [...results].flatMap(([name, result]) => (result === errno ? [name] : []));
    expect(named('38')).toEqual(['clone3']);
    const allowed = ['getpid', 'personality-query', 'memfd_create', 'socket-1', 'socket-2', 'socket-16'];
    expect(named('0')).toEqual(allowed);
    // 39 and 41 (NFC, KCM) pass the filter: whatever the kernel says of them, it is not EPERM.
    expect(named('1')).toEqual(
      [...results.keys()].filter((name) => !['clone3', 'socket-39', 'socket-41', ...allowed].includes(name)),
    );
    expect(named('1')).toEqual(expect.arrayContaining(['socket-38', 'socket-40', 'clone-user', 'mount', 'keyctl']));
  });
});

describe('file systems', () => {
  test('masked paths are empty, whatever lies beneath', async () => {
    const files = ['/proc/interrupts', '/proc/keys', '/proc/timer_list', '/proc/kcore', '/proc/sched_debug'];
    const directories = ['/proc/acpi', '/proc/scsi', '/proc/asound', '/sys/firmware', '/sys/devices/virtual/powercap'];
    for (const path of files) expect(await inside(`[ ! -e ${path} ] || wc -c < ${path}`)).toMatch(/^0?\n?$/);
    for (const path of directories) {
      expect(await inside(`[ ! -e ${path} ] || ls -A ${path}`)).toBe('');
      expect(await inside(`[ ! -e ${path} ] || touch ${path}/x`)).toMatch(/^$|Read-only file system/);
    }
    expect(await inside('ls -A /sys/firmware; echo x > /proc/keys; wc -c < /proc/keys')).toBe('0\n');
    expect(await inside('umount /proc/keys')).toContain('not permitted');
  });

  test.each([
    '/proc/sys/kernel/panic',
    '/proc/sysrq-trigger',
    '/proc/irq/default_smp_affinity',
    '/sys/kernel/profiling',
  ])('%s cannot be written', async (path) => {
    const before = await inside(`cat ${path}`);
    expect(await inside(`echo 1 > ${path}`)).toMatch(/Read-only file system|nonexistent directory/);
    expect(await inside(`cat ${path}`)).toBe(before);
  });

  test('/sys and the cgroup file system are read-only, and show this container alone', async () => {
    const mounts = (await inside('cat /proc/mounts'))
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const options = (path: string) => mounts.find(([, target]) => target === path)?.[3]?.split(',') ?? [];
    for (const path of ['/sys', '/sys/fs/cgroup', '/proc/sys', '/proc/bus']) expect(options(path)).toContain('ro');
    for (const path of ['/proc', '/sys', '/dev/shm', '/dev/mqueue']) {
      expect(options(path)).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'noexec']));
    }
    expect(await inside('mkdir /sys/fs/cgroup/x')).toContain('Read-only file system');
    expect(await inside('echo 1 > /sys/fs/cgroup/cgroup.freeze')).toContain('Read-only file system');
    expect(await inside('echo $$ > /sys/fs/cgroup/../cgroup/cgroup.procs')).toContain('Read-only file system');
    expect(await inside('cat /sys/fs/cgroup/cgroup.procs')).not.toContain(String(room.engine.pid));
    // Nothing of the host but the three files that were made for it.
    const host = mounts.map(([, target = '']) => target).filter((target) => target.startsWith('/etc'));
    expect(host.toSorted()).toEqual(['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
  });

  test('hostname, hosts and resolv.conf are its own', async () => {
    const name = container.id.slice(0, 12);
    expect(await inside('hostname; cat /etc/hostname')).toBe(`${name}\n${name}\n`);
    expect(await inside('cat /etc/hosts')).toContain(`${container.address}\t${name}\n`);
    expect(await inside('cat /etc/resolv.conf')).toMatch(/^nameserver (?!127\.)/m);
    expect(statSync(`${room.dataRoot}/containers/${container.id}/hosts`).uid).toBe(0);
  });
});

describe('devices', () => {
  test("/dev has Docker's devices and no more", async () => {
    const nodes = (await inside('find /dev -type c -o -type b')).trim().split('\n').toSorted();
    const names = ['full', 'null', 'pts/ptmx', 'random', 'tty', 'urandom', 'zero'];
    expect(nodes).toEqual(names.map((name) => `/dev/${name}`));
    expect(await inside('for n in fd ptmx stdin; do readlink /dev/$n; done; stat -c %a:%u:%g:%t:%T /dev/null')).toBe(
      '/proc/self/fd\npts/ptmx\n/proc/self/fd/0\n666:0:0:1:3\n',
    );
  });

  test.each([
    ['memory', 'c', 1, 1],
    ['the kernel log', 'c', 1, 11],
    ['fuse', 'c', 10, 229],
    ['a disk', 'b', 254, 0],
    ['a SCSI disk', 'b', 8, 0],
    ['a loop device', 'b', 7, 0],
    ['a loop control', 'c', 10, 237],
    ['kvm', 'c', 10, 232],
  ])('a node of %s can be made, as in Docker, but not opened', async (_name, type, major, minor) => {
    for (const directory of ['/tmp', '/dev', '/dev/shm']) {
      const made = await inside(`probe device ${directory}/node ${type} ${major} ${minor}`);
      // EPERM by the device program, EACCES where the mount refuses devices before it is asked.
      expect(made).toMatch(/^make 0\nread (1|13)\nwrite (1|13)\n$/);
    }
  });

  test('a node of a device that every container has can be made and used', async () => {
    expect(await inside('probe device /tmp/null c 1 3')).toBe('make 0\nread 0\nwrite 0\n');
    expect(await inside('probe device /tmp/null c 1 7')).toBe('make 0\nread 0\nwrite 0\n');
  });
});

describe('descriptors and directories', () => {
  test('only 0, 1 and 2 are open in the first process and in an exec', async () => {
    expect(readdirSync(`/proc/${container.pid}/fd`)).toEqual(['0', '1', '2']);
    for (const fd of ['0', '1', '2'])
      expect(readlinkSync(`/proc/${container.pid}/fd/${fd}`)).toMatch(/^(pipe:|\/dev\/null)/);
    expect((await room.exec(container.id, ['probe', 'descriptors'])).stdout).toBe('0 1 2 \n');
    expect((await room.exec(container.id, ['probe', 'descriptors'], { terminal: true })).stdout).toBe('0 1 2 \r\n');
    expect((await room.run(imageId, 'exec probe descriptors')).stdout).toBe('0 1 2 \n');
  });

  test('the working directory and the root are inside', async () => {
    expect(await inside('readlink /proc/self/cwd; pwd; readlink /proc/1/root; readlink /proc/1/cwd')).toBe(
      '/\n/\n/\n/\n',
    );
    // As the host sees them: on a mount of the container, which the host does not have.
    const id = (path: string) => statSync(path).dev;
    expect(id(`/proc/${container.pid}/cwd/.`)).toBe(id(`/proc/${container.pid}/root/.`));
    expect(id(`/proc/${container.pid}/cwd/.`)).not.toBe(id('/'));
    expect(await inside('ls -a /.. /../../..')).not.toContain('lost+found');
  });

  test('the environment is what was asked for, and nothing of the runner', async () => {
    const variables = readFileSync(`/proc/${container.pid}/environ`, 'utf8').split('\0').filter(Boolean);
    expect(variables.map((entry) => entry.split('=', 1).join()).toSorted()).toEqual(['HOME', 'HOSTNAME', 'PATH']);
  });
});
