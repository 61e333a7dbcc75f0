import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

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

/**
 * Boots Debian's kernel with all cgroup v2 controllers in a virtual machine (software emulation: some 60 times slower
 * than the host), over this machine's file system, read-only below a tmpfs; runs a shell script in it and powers off.
 * In the guest /run is a tmpfs for data, /exchange is shared with the caller; /dev/vda, /dev/vdb and /dev/vdc are empty
 * disks of 128 MiB, the last one slow; there are two memory nodes with a processor each, and 16 huge pages of 2 MiB.
 *
 * @param script sh text; its exit ends the machine
 * @throws Error when the machine has not powered off by itself within `timeoutMs`
 */
export async function runInMachine(script: string, options: { timeoutMs: number }): Promise<GuestRun> {
  const exchange = await mkdtemp(join(tmpdir(), 'berth-vm-'));
  await writeFile(
    join(exchange, 'guest.sh'),
    `export PATH=/usr/sbin:/usr/bin:/sbin:/bin TMPDIR=/run\n(${script}\n)\n/bin/busybox poweroff -f\n`,
  );
  const disks = ['disk-a', 'disk-b', 'disk-c'].map((name) => join(exchange, name));
  for (const disk of disks) {
    await writeFile(disk, '');
    await truncate(disk, DISK_BYTES);
  }
  const [last = ''] = disks.slice(-1);
  // One thread for both processors: with one each, just-in-time compiled programs of the guest died by SIGSEGV on a busy host.
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg,thread=single', '-cpu', 'max', '-smp', '2', '-m', '3G'],
      ...['-nographic', '-no-reboot', '-nic', 'none', '-device', 'virtio-rng-pci'],
      ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initramfs.cpio.gz')],
      ...[0, 1].flatMap(memoryNode),
      ...['-append', 'console=ttyS0 quiet panic=-1 hugepages=16 numa_balancing=disable'],
      ...disks.flatMap((disk) => [
        '-drive',
        `file=${disk},if=virtio,format=raw,cache=unsafe${disk === last ? `,throttling.iops-total=${SLOW_DISK_IOPS}` : ''}`,
      ]),
      ...share('host', '/', ',readonly=on,multidevs=remap'),
      ...share('exchange', exchange, ''),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  qemu.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output = (output + chunk).slice(-256 * 1024);
  });
  const [ended, timer] = [
    Promise.withResolvers<number | null>(),
    setTimeout(() => qemu.kill('SIGKILL'), options.timeoutMs),
  ];
  qemu.on('error', ended.reject).on('close', ended.resolve);
  const code = await ended.promise.finally(() => clearTimeout(timer));
  if (code !== 0) {
    await rm(exchange, { recursive: true, force: true });
    throw new Error(`the virtual machine did not power off within ${options.timeoutMs} ms; its console:\n${output}`);
  }
  return {
    console: output,
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
