import { readFileSync, readlinkSync, readdirSync, existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultCapabilities } from '../../runner/security/capabilities.ts';
import { capabilityNumbers } from '../../runner/security/capability-numbers.ts';
import { securityFacts } from '../../runner/os/security-facts.ts';
import { EngineUnderTest, type Outcome } from '../docker-cli/engine.ts';
import { hasClient28 } from '../support/docker-client.ts';
import { call } from '../support/call-socket.ts';

const stack = new AsyncDisposableStack();
let engine: EngineUnderTest;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-isolation-'));
  stack.defer(() => rm(directory, { recursive: true }));
  engine = stack.use(await EngineUnderTest.runner());
});
afterAll(() => stack.disposeAsync());

const facts = securityFacts();
const ownCapabilities = maskOf(facts.capabilities);
const hostNamespace = (type: string): string => readlinkSync(`/proc/self/ns/${type}`);

function maskOf(names: readonly string[]): string {
  const bits = names.map((name) => 1n << BigInt(capabilityNumbers.get(name.replace('CAP_', '')) ?? 63));
  return bits
    .reduce((mask, bit) => mask | bit, 0n)
    .toString(16)
    .padStart(16, '0');
}

const docker = (...args: readonly string[]): Promise<Outcome> => engine.run({ args });

/** Runs a script in a container with these options, to its end. */
async function ran(options: string, script: string, ...more: readonly string[]): Promise<string> {
  const words = options === '' ? [] : options.split(' ');
  const { exit, stdout, stderr } = await docker('run', '--rm', ...words, ...more, 'busybox', 'sh', '-c', script);
  expect(stderr).toBe('');
  expect(exit).toBe(0);
  return stdout;
}

/** A container that runs until it is removed. */
async function running(options: string): Promise<string> {
  const words = options === '' ? [] : options.split(' ');
  const { exit, stdout, stderr } = await docker('run', '-d', ...words, 'busybox', 'sleep', '1000');
  expect([exit, stderr]).toEqual([0, '']);
  return stdout.trim();
}

/** A container that is made by the API, for what the client has no option for. */
async function created(config: object): Promise<string> {
  const { status, body } = await call(engine.socketPath, 'POST', '/containers/create', config);
  expect(status).toBe(201);
  return (body as { Id: string }).Id;
}

async function refusal(options: string, ...more: readonly string[]): Promise<string> {
  const { exit, stderr } = await docker('run', '--rm', ...options.split(' '), ...more, 'busybox', 'true');
  expect(exit).not.toBe(0);
  return stderr;
}

const status = 'grep -E "^(CapInh|CapPrm|CapEff|CapBnd|CapAmb|Seccomp|NoNewPrivs):" /proc/self/status';
const sets = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^(\w+):\s+(\S+)$/gm)].map(([, name, value]) => [name, value]));

describe('capabilities and system calls', () => {
  test('a privileged container has all that the runner has, and an exec in it', async () => {
    const id = await running('--privileged');
    const { stdout } = await docker('exec', id, 'sh', '-c', status);
    for (const text of [readFileSync(`/proc/${await pidOf(id)}/status`, 'utf8'), stdout]) {
      expect(sets(text)).toMatchObject({
        CapBnd: ownCapabilities,
        CapEff: ownCapabilities,
        CapPrm: ownCapabilities,
        CapInh: '0'.repeat(16),
        CapAmb: '0'.repeat(16),
        Seccomp: '0',
      });
    }
    await docker('rm', '-f', id);
  });

  test('a privileged container mounts, writes to /sys and its cgroup, sees what is masked elsewhere', async () => {
    const script =
      'mount -t tmpfs none /tmp && mkdir /sys/fs/cgroup/x && rmdir /sys/fs/cgroup/x && grep -c . /proc/keys';
    expect(Number(await ran('--privileged', script))).toBeGreaterThan(0);
    const mounts = await ran('--privileged', 'grep -E " (/sys|/sys/fs/cgroup|/proc/sys) " /proc/mounts');
    expect(mounts).toMatch(/ \/sys sysfs rw,/);
    expect(mounts).toMatch(/ \/sys\/fs\/cgroup cgroup2 rw,/);
    expect(mounts).not.toContain(' /proc/sys ');
  });

  test.each([
    ['--cap-add net_admin', [...defaultCapabilities, 'CAP_NET_ADMIN']],
    ['--cap-drop all --cap-add CAP_CHOWN', ['CAP_CHOWN']],
    ['--cap-drop ALL', []],
    ['--cap-add ALL --cap-drop CAP_SYS_ADMIN', facts.capabilities.filter((name) => name !== 'CAP_SYS_ADMIN')],
  ])('%s', async (options, names) => {
    const has = sets(await ran(options, status));
    for (const set of ['CapBnd', 'CapEff', 'CapPrm']) expect(has[set]).toBe(maskOf(names));
  });

  test('an unknown capability is refused in the words of dockerd', async () => {
    expect(await refusal('--cap-add WINGS')).toContain('invalid CapAdd: unknown capability: "CAP_WINGS"');
  });

  test.runIf(hasClient28)('the filter follows the capabilities, and can be taken away', async () => {
    const mount = 'mount -t tmpfs none /tmp 2>&1; echo $?';
    expect(await ran('', mount)).toMatch(/permission denied|not permitted/i);
    expect(await ran('--cap-add SYS_ADMIN', mount)).toBe('0\n');
    expect(sets(await ran('--security-opt seccomp=unconfined', status))['Seccomp']).toBe('0');
    expect(sets(await ran('--security-opt seccomp=builtin', status))['Seccomp']).toBe('2');
  });

  test('a profile of one’s own, from a file', async () => {
    const path = join(directory, 'profile.json');
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 121 };
    const syscalls = [rule, { ...rule, names: ['rmdir'], includes: { caps: ['CAP_SYS_ADMIN'] } }];
    await writeFile(path, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
    const script = 'mkdir /tmp/x 2>&1; rmdir /tmp 2>&1; grep Seccomp: /proc/self/status';
    const text = await ran(`--security-opt seccomp=${path}`, script);
    expect(text).toContain("can't create directory '/tmp/x': Remote I/O error");
    expect(text).not.toMatch(/rmdir.*Remote I\/O/);
    expect(await ran(`--security-opt seccomp=${path} --cap-add SYS_ADMIN`, script)).toMatch(
      /'\/tmp': Remote I\/O error/,
    );
    await writeFile(path, '{"defaultAction": "SCMP_ACT_PERHAPS"}');
    expect(await refusal(`--security-opt seccomp=${path}`)).toContain('decoding seccomp profile failed: defaultAction');
  });

  test('options that nobody knows are refused, labels have no effect', async () => {
    expect(await refusal('--security-opt wings=2')).toContain('invalid --security-opt 2: "wings=2"');
    const { exit, stderr } = await docker('run', '--rm', '--security-opt', 'label=disable', 'busybox', 'true');
    expect([exit, stderr]).toEqual([0, expect.stringContaining('"label=disable" has no effect')]);
  });

  test('an exec can be privileged where the container is not', async () => {
    const id = await running('--cap-drop ALL');
    const has = sets((await docker('exec', '--privileged', id, 'sh', '-c', status)).stdout);
    expect(has).toMatchObject({ CapEff: ownCapabilities, CapBnd: ownCapabilities });
    expect(sets((await docker('exec', id, 'sh', '-c', status)).stdout)['CapEff']).toBe('0'.repeat(16));
    const text = await docker(
      'exec',
      '-u',
      '12:34',
      '-w',
      '/tmp',
      '-e',
      'A=b c',
      id,
      'sh',
      '-c',
      'id -u; id -g; pwd; echo "$A"',
    );
    expect(text.stdout).toBe('12\n34\n/tmp\nb c\n');
    await docker('rm', '-f', id);
  });
});

async function pidOf(id: string): Promise<string> {
  return (await docker('inspect', '-f', '{{.State.Pid}}', id)).stdout.trim();
}

async function namespaceOf(id: string, type: string): Promise<string> {
  return readlinkSync(`/proc/${await pidOf(id)}/ns/${type}`);
}

describe('namespaces', () => {
  test.each([
    ['--ipc host', 'ipc'],
    ['--pid host', 'pid'],
    ['--uts host', 'uts'],
    ['--cgroupns host', 'cgroup'],
  ])('%s: that of the host, also for an exec', async (options, type) => {
    const id = await running(options);
    expect(await namespaceOf(id, type)).toBe(hostNamespace(type));
    expect((await docker('exec', id, 'readlink', `/proc/self/ns/${type}`)).stdout.trim()).toBe(hostNamespace(type));
    await docker('rm', '-f', id);
  });

  test('with the processes of the host, it sees them, and is ended by its own', async () => {
    const id = await running('--pid host');
    const { stdout } = await docker('exec', id, 'sh', '-c', `[ -d /proc/${process.pid} ] && echo seen`);
    expect(stdout).toBe('seen\n');
    const pid = await pidOf(id);
    expect((await docker('stop', '-t', '0', id)).exit).toBe(0);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    await docker('rm', '-f', id);
  });

  test('those of another container, which must run', async () => {
    const other = await running('--name donor --ipc shareable');
    const id = await running('--pid container:donor --ipc container:donor');
    expect((await docker('inspect', '-f', '{{.HostConfig.PidMode}} {{.HostConfig.IpcMode}}', id)).stdout).toBe(
      `container:${other} container:${other}\n`,
    );
    for (const type of ['pid', 'ipc']) expect(await namespaceOf(id, type)).toBe(await namespaceOf(other, type));
    await docker('exec', other, 'sh', '-c', 'echo word > /dev/shm/note');
    expect((await docker('exec', id, 'cat', '/dev/shm/note')).stdout).toBe('word\n');
    expect((await docker('exec', id, 'ps')).stdout).toMatch(/ 1 root .*sleep 1000/);
    await docker('rm', '-f', id);
    await docker('stop', '-t', '0', 'donor');
    expect(await refusal('--pid container:donor')).toContain(
      `failed to join PID namespace: container ${other} is not running`,
    );
    expect(await refusal('--ipc container:donor')).toContain(
      `failed to join IPC namespace: container ${other} is not running`,
    );
    await docker('rm', '-f', 'donor');
  });

  test('an IPC namespace that is not shared cannot be joined, nor one of nobody', async () => {
    const id = await running('--name miser');
    expect(await refusal('--ipc container:miser')).toContain(`container ${id}: non-shareable IPC (hint:`);
    expect(await refusal('--ipc container:nobody')).toContain('No such container: nobody');
    await docker('rm', '-f', id);
  });

  test('--ipc none has no /dev/shm, --ipc host that of the host', async () => {
    expect(await ran('--ipc none', 'ls -d /dev/shm 2>/dev/null; echo done')).toBe('done\n');
    const name = `berth-isolation-${process.pid}`;
    await writeFile(`/dev/shm/${name}`, 'host');
    try {
      expect(await ran('--ipc host', `cat /dev/shm/${name}`)).toBe('host');
    } finally {
      await rm(`/dev/shm/${name}`);
    }
  });

  test('a user namespace on request: root inside is nobody outside, files of the image are its own', async () => {
    const request = { Image: 'busybox', Cmd: ['sleep', '1000'], HostConfig: { UsernsMode: 'private' } };
    const id = await created(request);
    const { exit, stderr } = await docker('start', id);
    expect([exit, stderr]).toEqual([0, '']);
    const pid = await pidOf(id);
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t1879048192\t/m);
    expect(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/)).toEqual(['0', '1879048192', '65536']);
    const script =
      'id -u; stat -c %u:%g /bin/busybox; touch /tmp/x && stat -c %u /tmp/x; chown 5 /tmp/x && stat -c %u /tmp/x';
    expect((await docker('exec', id, 'sh', '-c', script)).stdout).toBe('0\n0:0\n0\n5\n');
    await docker('rm', '-f', id);
  });
});

describe('devices', () => {
  test('one of the host at another path, with its permissions', async () => {
    const script = 'ls -l /dev/nil; head -c 1 /dev/nil | wc -c; echo x > /dev/nil';
    expect(await ran('--device /dev/zero:/dev/nil', script)).toMatch(/1, +5 .*\/dev\/nil\n1\n$/);
    const open = '(: < /dev/f) && echo read; (: > /dev/f) 2>&1; true';
    expect(await ran('--device /dev/fuse:/dev/f:r', open)).toMatch(/^read\n.*not permitted\n$/);
  });

  test('one that is not there is refused in the words of dockerd', async () => {
    expect(await refusal('--device /dev/none')).toContain(
      'error gathering device information while adding custom device "/dev/none": no such file or directory',
    );
  });

  test('rules let devices be opened that the container makes itself', async () => {
    const script = 'mknod /tmp/node c 10 229; (: < /tmp/node) 2>&1 && echo open';
    expect(await ran('', `${script}; true`)).toContain('not permitted');
    expect(await ran('', `${script}; true`, '--device-cgroup-rule', 'c 10:229 r')).toBe('open\n');
  });

  test('a privileged container has the devices of the host, and may open any', async () => {
    const nodes = await ran('--privileged', 'cd /dev && find . -type c -o -type b | sort');
    const host = readdirSync('/dev').filter((name) => ['kmsg', 'fuse', 'net', 'loop-control'].includes(name));
    for (const name of host.filter((one) => one !== 'net')) expect(nodes).toContain(`./${name}\n`);
    expect(await ran('--privileged', 'mknod /tmp/node c 1 11; (: < /tmp/node) && echo open')).toBe('open\n');
  });

  test('no driver hands out devices', async () => {
    expect(await refusal('--gpus all')).toContain('could not select device driver "" with capabilities: [[gpu]]');
  });
});

describe('the rest', () => {
  test('masks can be taken away and replaced', async () => {
    const mounts = 'grep -c -E " /proc/(sys|keys|kcore|bus) " /proc/mounts';
    expect(Number(await ran('', mounts))).toBeGreaterThan(2);
    expect(await ran('--security-opt systempaths=unconfined', `${mounts}; true`)).toBe('0\n');
    const request = {
      Image: 'busybox',
      Cmd: ['sleep', '1000'],
      HostConfig: { MaskedPaths: ['/bin/false'], ReadonlyPaths: ['/tmp'] },
    };
    const id = await created(request);
    expect((await docker('start', id)).stderr).toBe('');
    const { stdout } = await docker(
      'exec',
      id,
      'sh',
      '-c',
      'wc -c < /bin/false; touch /tmp/x 2>&1; head -c 1 /proc/keys | wc -c',
    );
    expect(stdout).toMatch(/^0\n.*Read-only file system\n[01]\n$/);
    await docker('rm', '-f', id);
  });

  test('sysctls of its own namespaces; others are refused in the words of runc', async () => {
    const script = 'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax';
    expect(await ran('--sysctl net.core.somaxconn=77 --sysctl kernel.msgmax=4096', script)).toBe('77\n4096\n');
    const text = 'sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace: unknown';
    expect(await refusal('--ipc host --sysctl kernel.msgmax=4096')).toContain(text);
  });

  test('the score for the OOM killer', async () => {
    expect(await ran('--oom-score-adj 321', 'cat /proc/self/oom_score_adj')).toBe('321\n');
    expect(await refusal('--oom-score-adj 1001')).toContain(
      'Invalid value 1001, range for oom score adj is [-1000, 1000]',
    );
  });

  test('groups are added, also for an exec', async () => {
    const id = await running('--group-add 4711 --user 1000');
    expect((await docker('exec', id, 'id', '-G')).stdout).toMatch(/\b4711\b/);
    await docker('rm', '-f', id);
  });

  test('--init: orphans are reaped, signals and the exit code pass', async () => {
    // The orphan is waited for: it ends, and then is no longer there, not even as a zombie.
    const orphan = 'ps -o stat,args | grep -q "^Z\\|[s]leep 0[.]1$"';
    const script = `sh -c "sleep 0.1 & exit 0"; while ${orphan}; do sleep 0.05; done; ps -o pid,stat,args; exit 7`;
    const { exit, stdout } = await docker('run', '--rm', '--init', 'busybox', 'sh', '-c', script);
    expect(exit).toBe(7);
    expect(stdout).toMatch(/^ +1 S +\/sbin\/docker-init -- sh -c/m);
    expect(stdout).not.toMatch(/^ *\d+ Z/m);
  });

  test('an unknown runtime is refused, the alias is not', async () => {
    expect(await refusal('--runtime kata')).toContain('unknown or invalid runtime name: kata');
    expect(await ran('--runtime runc', 'echo ran')).toBe('ran\n');
  });

  test('inspect tells what was asked for', async () => {
    const { stdout } = await docker('create', '--privileged', '--init', '--oom-score-adj', '5', 'busybox', 'true');
    const format = '{{json .HostConfig}}';
    const host = JSON.parse((await docker('inspect', '-f', format, stdout.trim())).stdout) as Record<string, unknown>;
    expect(host).toMatchObject({
      Privileged: true,
      Init: true,
      OomScoreAdj: 5,
      SecurityOpt: ['label=disable'],
      Runtime: 'berth',
      IpcMode: 'private',
      PidMode: '',
      UTSMode: '',
      CgroupnsMode: 'private',
      MaskedPaths: null,
    });
    await docker('rm', stdout.trim());
  });
});
