import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { RuntimeSpec, SeccompProfile } from '#shared/oci/runtime-spec.ts';
import type { Launcher, LaunchRequest, LinkSpec } from '../../runner/launcher/launcher.ts';
import { defaultMounts } from '../../runner/security/mounts.ts';
import { createLauncher, type LauncherOptions } from '../../runner/launcher/client.ts';

export const repository = resolve(import.meta.dirname, '../..');
export const binary = join(repository, 'build/bin/berth-launcher');
export const cgroupRoot = existsSync('/sys/fs/cgroup/cgroup.controllers') ? '/sys/fs/cgroup' : '/sys/fs/cgroup/unified';

const capabilities = [
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL',
  'AUDIT_WRITE',
]
  .join(' ')
  .split(' ')
  .map((name) => `CAP_${name}`);

/** A small profile: all is allowed but a few calls, enough to see that a filter is there and works. */
export const seccomp: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ALLOW',
  architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  syscalls: [
    { names: ['keyctl', 'add_key', 'unshare', 'no_such_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
    {
      names: ['socket'],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 97,
      args: [
        { index: 0, value: 38, op: 'SCMP_CMP_EQ' },
        { index: 0, value: 40, op: 'SCMP_CMP_EQ' },
      ],
    },
  ],
};

const device = (path: string, major: number, minor: number) =>
  ({ path, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 }) as const;

/** The spec that Docker makes for `docker run IMAGE ARGS`. */
export function dockerSpec(cgroupsPath: string, args: readonly string[]): RuntimeSpec {
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0, additionalGids: [] },
      args,
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'GREETING=hello'],
      cwd: '/',
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        inheritable: [],
        ambient: [],
      },
      rlimits: [],
      noNewPrivileges: false,
    },
    root: { path: '/', readonly: false },
    hostname: 'berth-test',
    mounts: [...defaultMounts(67_108_864)],
    annotations: {},
    linux: {
      namespaces: (['mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'] as const).map((type) => ({ type })),
      devices: [
        device('/dev/null', 1, 3),
        device('/dev/zero', 1, 5),
        device('/dev/full', 1, 7),
        device('/dev/random', 1, 8),
        device('/dev/urandom', 1, 9),
        device('/dev/tty', 5, 0),
      ],
      cgroupsPath,
      resources: {},
      seccomp,
      maskedPaths: [
        '/proc/asound',
        '/proc/acpi',
        '/proc/interrupts',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/proc/scsi',
        '/sys/firmware',
        '/sys/devices/virtual/powercap',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
      sysctl: {},
      rootfsPropagation: 'rprivate',
    },
  };
}

/** The first ids of the host that `mapped` gives a container. */
export const mappedIds = { uid: 700_000, gid: 800_000 };

/** The same with a user namespace of its own. */
export function mapped(spec: RuntimeSpec): RuntimeSpec {
  return {
    ...spec,
    linux: {
      ...spec.linux,
      namespaces: [...spec.linux.namespaces, { type: 'user' }],
      uidMappings: [{ containerID: 0, hostID: mappedIds.uid, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: mappedIds.gid, size: 65_536 }],
    },
  };
}

/** A root file system of busybox alone, with a few users. */
export async function makeRootfs(directory: string): Promise<void> {
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'root', 'home']) {
    await mkdir(join(directory, name), { recursive: true });
  }
  await copyFile('/bin/busybox', join(directory, 'bin/busybox'));
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) {
    if (applet !== 'busybox') await symlink('busybox', join(directory, 'bin', applet));
  }
  await writeFile(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/home:/bin/sh\nweb2:x:1002:1001::/:/bin/sh\n',
  );
  await writeFile(join(directory, 'etc/group'), 'root:x:0:\nweb:x:1001:\nmail:x:8:web,web2\nvideo:x:44:web\n');
  await chmod(join(directory, 'tmp'), 0o1777);
}

export interface LaunchChange {
  readonly spec?: (spec: RuntimeSpec) => RuntimeSpec;
  readonly request?: Partial<LaunchRequest>;
  /** Run in the layer's directory before the launch. */
  readonly layer?: (directory: string) => Promise<void>;
}

/** A launcher with a data root of its own; everything that it made is removed at its end. */
export class Laboratory implements AsyncDisposable {
  readonly directory: string;
  readonly instance: string;
  readonly rootfs: string;
  readonly warnings: string[] = [];
  readonly launcher: Launcher;

  private constructor(directory: string, instance: string, rootfs: string, launcher: Launcher, warnings: string[]) {
    this.directory = directory;
    this.instance = instance;
    this.rootfs = rootfs;
    this.launcher = launcher;
    this.warnings = warnings;
  }

  static async open(options: Partial<LauncherOptions> = {}): Promise<Laboratory> {
    execFileSync('make', ['-s', '-f', 'runner/launcher/launcher.mk', 'build/bin/berth-launcher'], { cwd: repository });
    const directory = await mkdtemp('/tmp/berth-launcher-');
    const rootfs = join(directory, 'rootfs');
    await makeRootfs(rootfs);
    const warnings: string[] = [];
    const launcher = await createLauncher({
      binary,
      cgroupRoot,
      cacheDirectory: join(directory, 'cache'),
      controllers: [],
      onWarning: (_id, text) => warnings.push(text),
      ...options,
    });
    return new Laboratory(directory, `berth-t${randomBytes(3).toString('hex')}`, rootfs, launcher, warnings);
  }

  cgroup(id: string): string {
    return join(cgroupRoot, this.instance, id);
  }

  /** Directories and request of one container that runs a shell script. */
  async request(script: string, change: LaunchChange = {}): Promise<LaunchRequest> {
    const containerId = randomBytes(32).toString('hex');
    const container = join(this.directory, 'containers', containerId);
    for (const name of ['upper', 'work', 'state', 'layer']) {
      await mkdir(join(container, name), { recursive: true, mode: name === 'upper' ? 0o755 : 0o700 });
    }
    await change.layer?.(join(container, 'layer'));
    const spec = dockerSpec(`/${this.instance}/${containerId}`, ['sh', '-c', script]);
    return {
      containerId,
      spec: change.spec?.(spec) ?? spec,
      root: {
        kind: 'overlay',
        lower: change.layer === undefined ? [this.rootfs] : [this.rootfs, join(container, 'layer')],
        upper: join(container, 'upper'),
        work: join(container, 'work'),
      },
      user: '',
      additionalGroups: [],
      links: [],
      stateDirectory: join(container, 'state'),
      stdin: false,
      log: { maxBytes: 0, maxFiles: 1 },
      ...change.request,
    };
  }

  /** Runs a script to its end; its log by stream. */
  async run(script: string, change: LaunchChange = {}) {
    const request = await this.request(script, change);
    await using shim = await this.launcher.launch(request);
    const report = await shim.exit;
    return { ...report, ...readLog(request.stateDirectory), request, upper: overlay(request).upper };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const own = join(cgroupRoot, this.instance);
    for (const id of existsSync(own) ? readdirSync(own, { withFileTypes: true }) : []) {
      if (!id.isDirectory()) continue;
      await writeFile(join(own, id.name, 'cgroup.kill'), '1').catch(() => {});
      await until(() => !existsSync(join(own, id.name)) || tryRemove(join(own, id.name)));
    }
    if (existsSync(own)) rmdirSync(own);
    await this.launcher[Symbol.asyncDispose]();
    await until(() => tryRemoveTree(this.directory));
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The overlay that a request's root is, upon other layers when these are given. */
export function overlay({ root }: LaunchRequest, lower?: readonly string[]) {
  if (root.kind !== 'overlay') throw new Error('the root is no overlay');
  return { ...root, lower: lower ?? root.lower };
}

function tryRemove(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return !existsSync(directory);
  }
}

/** Shims of killed containers still write their last files for a moment. */
function tryRemoveTree(directory: string): boolean {
  try {
    execFileSync('rm', ['-rf', directory], { stdio: 'ignore' });
    return !existsSync(directory);
  } catch {
    return false;
  }
}

/** Waits until `condition` holds, at most a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`condition did not hold in time: ${condition.toString()}`);
    await new Promise((wake) => setTimeout(wake, 5));
  }
}

export function readLog(stateDirectory: string, name = 'container.log') {
  const text = readFileSync(join(stateDirectory, name), 'utf8');
  const entries = text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });
  const of = (stream: string) =>
    entries
      .filter((entry) => entry.stream === stream)
      .map((entry) => entry.log)
      .join('');
  return { entries, stdout: of('stdout'), stderr: of('stderr') };
}

export function namespaceOf(pid: number | 'self', type: string): Promise<string> {
  return readlink(`/proc/${pid}/ns/${type}`);
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/**
 * A link on this laboratory's own bridge. Test files run side by side in one network namespace, and two bridges with one
 * subnet would take each other's answers: so the subnet, 10.224-255.N.0/24, is of the instance, as the names are.
 */
export function link(instance: string, last: number): LinkSpec {
  const [first = 0, second = 0] = Buffer.from(instance.slice('berth-t'.length), 'hex');
  const bytes = [10, 224 + (first % 32), second];
  const prefix = bytes.join('.');
  const macAddress = [0x02, 0x42, ...bytes, last].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  return {
    bridge: `${instance.slice(6)}b`,
    hostName: `${instance.slice(6)}v${last}`,
    containerName: 'eth0',
    address: `${prefix}.${last}`,
    prefixLength: 24,
    gateway: `${prefix}.1`,
    macAddress,
  };
}

/** What `ip route` of busybox prints in a container that has this link alone. */
export function routesOf({ address, gateway }: LinkSpec): string {
  const subnet = gateway.replace(/\d+$/, '0/24');
  return `default via ${gateway} dev eth0 \n${subnet} dev eth0 scope link  src ${address} \n`;
}

/** The bridge that `link` attaches to, for the time of a test. */
export async function withBridge<T>(laboratory: Laboratory, use: () => Promise<T>): Promise<T> {
  const { bridge, gateway } = link(laboratory.instance, 2);
  await laboratory.launcher.ensureBridge({ name: bridge, address: gateway, prefixLength: 24 });
  try {
    return await use();
  } finally {
    await laboratory.launcher.removeLink(bridge);
  }
}

export function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
