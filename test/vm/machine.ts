import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Sparse: as much of it is on this host's disk as the guest writes. */
const DISK_BYTES = 128 * 2 ** 20;

/** So slow that who reads waits for it, and not for the emulated processors. */
const SLOW_DISK_IOPS = 200;

const image = resolve(import.meta.dirname, '../../build/vm');

/** What the guest left behind: every file of the exchange directory that it was asked for, and its console. */
export interface GuestRun {
  readonly console: string;
  /** The text of a file that the guest wrote to /exchange; undefined when it did not. */
  read(name: string): Promise<string | undefined>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A disk of the guest. */
export interface MachineDisk {
  /** A raw file. What the guest has not written to it is lost with the machine. */
  readonly path: string;
  /** More of `-drive`, as `,throttling.iops-total=200`. */
  readonly options?: string;
}

/**
 * Debian's kernel with all cgroup v2 controllers in a virtual machine (software emulation: some 60 times slower than the
 * host), over this machine's file system, read-only below a tmpfs. In the guest /run is a tmpfs for data, /exchange is
 * the caller's directory, and the disks are /dev/vda and on; there are two memory nodes with a processor each, and 16
 * huge pages of 2 MiB. Disposing it pulls the plug.
 */
export class Machine implements AsyncDisposable {
  readonly #qemu: ChildProcess;
  /** Resolves with QEMU's exit code, null when it was killed. */
  readonly ended: Promise<number | null>;
  #console = '';

  private constructor(qemu: ChildProcess) {
    this.#qemu = qemu;
    qemu.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.#console = (this.#console + chunk).slice(-256 * 1024);
    });
    const ended = Promise.withResolvers<number | null>();
    qemu.on('error', ended.reject).on('close', ended.resolve);
    this.ended = ended.promise;
    ended.promise.catch(() => undefined); // whoever waits for it is told
  }

  /**
   * Boots it.
   *
   * @param script sh text; its exit ends the machine
   * @param exchange a directory, shared with the guest
   */
  static async boot(script: string, exchange: string, disks: readonly MachineDisk[]): Promise<Machine> {
    await writeFile(
      join(exchange, 'guest.sh'),
      `export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run\n(${script}\n)\n/bin/busybox poweroff -f\n`,
    );
    // One thread for both processors: with one each, just-in-time compiled programs of the guest died by SIGSEGV on a busy host.
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...['-accel', 'tcg,thread=single', '-cpu', 'max', '-smp', '2', '-m', '3G'],
        ...['-nographic', '-no-reboot', '-nic', 'none', '-device', 'virtio-rng-pci'],
        ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initramfs.cpio.gz')],
        ...[0, 1].flatMap(memoryNode),
        ...['-append', 'console=ttyS0 quiet panic=-1 hugepages=16 numa_balancing=disable'],
        ...disks.flatMap(({ path, options = '' }) => [
          '-drive',
          `file=${path},if=virtio,format=raw,cache=unsafe${options}`,
        ]),
        ...share('host', '/', ',readonly=on,multidevs=remap'),
        ...share('exchange', exchange, ''),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    return new Machine(qemu);
  }

  /** The end of what it has said. */
  get console(): string {
    return this.#console;
  }

  /** All of it stands still while the work is done: its disks are then what a loss of power would leave. */
  async standingStill<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#qemu.kill('SIGSTOP');
    try {
      const threads = `/proc/${this.#qemu.pid}/task`;
      for (const thread of await readdir(threads)) {
        while (!/^State:\s+[TZ]/m.test(await readFile(join(threads, thread, 'status'), 'utf8'))) await nextTurn();
      }
      return await work();
    } finally {
      this.#qemu.kill('SIGCONT');
    }
  }

  /** Pulls the plug. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#qemu.kill('SIGKILL');
    await this.ended.catch(() => undefined);
  }
}

/**
 * Boots a machine with three empty disks of 128 MiB, the last one slow, runs a shell script in it and powers off.
 *
 * @param script sh text; its exit ends the machine
 * @throws Error when the machine has not powered off by itself within `timeoutMs`
 */
export async function runInMachine(script: string, options: { timeoutMs: number }): Promise<GuestRun> {
  const exchange = await mkdtemp(join(tmpdir(), 'berth-vm-'));
  const disks: MachineDisk[] = [];
  for (const name of ['disk-a', 'disk-b', 'disk-c']) {
    const path = join(exchange, name);
    await writeFile(path, '');
    await truncate(path, DISK_BYTES);
    disks.push({ path, ...(name === 'disk-c' ? { options: `,throttling.iops-total=${SLOW_DISK_IOPS}` } : {}) });
  }
  await using machine = await Machine.boot(script, exchange, disks);
  const timer = setTimeout(() => void machine[Symbol.asyncDispose](), options.timeoutMs);
  const code = await machine.ended.finally(() => clearTimeout(timer));
  const { console } = machine;
  if (code !== 0) {
    await rm(exchange, { recursive: true, force: true });
    throw new Error(`the virtual machine did not power off within ${options.timeoutMs} ms; its console:\n${console}`);
  }
  return {
    console,
    read: async (name) => readFile(join(exchange, name), 'utf8').catch(() => undefined),
    [Symbol.asyncDispose]: () => rm(exchange, { recursive: true, force: true }),
  };
}

function memoryNode(node: number): string[] {
  return [
    ...['-object', `memory-backend-ram,id=memory-${node},size=1536M`],
    ...['-numa', `node,nodeid=${node},cpus=${node},memdev=memory-${node}`],
  ];
}

function share(tag: string, path: string, more: string): string[] {
  return [
    ...['-fsdev', `local,id=${tag},path=${path},security_model=none${more}`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}
