import { join } from 'node:path';
import type { ContainerRecord, Engine } from '../container/engine.ts';
import { KeptFile, readOnce } from '../os/kept-file.ts';
import { emptySample, type StatsSample } from './translate/stats-document.ts';

/** The files of a cgroup that the statistics are made of, by their names in a sample. */
const cgroupFiles = {
  cpu: 'cpu.stat',
  memory: 'memory.current',
  memoryMax: 'memory.max',
  memoryStat: 'memory.stat',
  memoryEvents: 'memory.events',
  pids: 'pids.current',
  pidsMax: 'pids.max',
  io: 'io.stat',
  cpuPressure: 'cpu.pressure',
  memoryPressure: 'memory.pressure',
  ioPressure: 'io.pressure',
} as const;

type CgroupFileKey = keyof typeof cgroupFiles;

/** Descriptors of a container whose statistics nobody has asked for during this time are closed. Milliseconds. */
const idleMs = 10_000;

/** All containers read within this time are told the same state of the host's processors. Milliseconds. */
const hostSampleMs = 10;

interface Reader extends Disposable {
  readonly pid: number;
  usedAtMs: number;
  read(): Pick<StatsSample, CgroupFileKey | 'network'>;
}

/**
 * Reads what the kernel counts for containers. Invariants: at most one reader a container, whose descriptors are open
 * from the first question to its end, or until nobody has asked for a while; none of a container that has ended.
 */
export class StatsReaders implements Disposable {
  readonly #cgroupDirectory: string;
  readonly #clock: () => number;
  readonly #readers = new Map<string, Reader>();
  readonly #host = new KeptFile('/proc/stat');
  readonly #changes: Disposable;
  readonly #sweeper: NodeJS.Timeout;
  #system = { text: '', readAt: -Infinity };

  constructor(engine: Pick<Engine, 'onChange'>, cgroupDirectory: string, clock: () => number) {
    this.#cgroupDirectory = cgroupDirectory;
    this.#clock = clock;
    this.#changes = engine.onChange((id, record) => {
      if (record?.state !== 'running' || record.pid !== this.#readers.get(id)?.pid) this.#close(id);
    });
    this.#sweeper = setInterval(() => this.#closeIdle(), idleMs / 2).unref();
  }

  /** What is counted for it now; zeros when it does not run. */
  sample(record: ContainerRecord): StatsSample {
    const atMs = this.#clock();
    if (record.state !== 'running') return { ...emptySample, atMs };
    const reader = this.#reader(record);
    reader.usedAtMs = performance.now();
    return { ...reader.read(), system: this.#systemText(), atMs, running: true };
  }

  /** How many containers have open descriptors. */
  get size(): number {
    return this.#readers.size;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeper);
    this.#changes[Symbol.dispose]();
    for (const id of this.#readers.keys()) this.#close(id);
    this.#host[Symbol.dispose]();
  }

  #reader(record: ContainerRecord): Reader {
    const known = this.#readers.get(record.id);
    if (known?.pid === record.pid) return known;
    this.#close(record.id);
    const reader = openReader(join(this.#cgroupDirectory, record.config.cgroupParent, record.id), record.pid);
    this.#readers.set(record.id, reader);
    return reader;
  }

  #systemText(): string {
    const now = performance.now();
    if (now - this.#system.readAt > hostSampleMs) this.#system = { text: this.#host.read(), readAt: now };
    return this.#system.text;
  }

  #close(id: string): void {
    this.#readers.get(id)?.[Symbol.dispose]();
    this.#readers.delete(id);
  }

  #closeIdle(): void {
    for (const [id, { usedAtMs }] of this.#readers) if (performance.now() - usedAtMs > idleMs) this.#close(id);
  }
}

function openReader(directory: string, pid: number): Reader {
  const files = Object.entries(cgroupFiles).map(([key, name]) => [key, new KeptFile(join(directory, name))] as const);
  const processes = new KeptFile(join(directory, 'cgroup.procs'));
  return {
    pid,
    usedAtMs: performance.now(),
    read() {
      const texts = Object.fromEntries(files.map(([key, file]) => [key, file.read()])) as Record<CgroupFileKey, string>;
      // Without a pids controller its processes are counted, as dockerd cannot.
      const pids = texts.pids || `${processes.read().split('\n').length - 1}`;
      // Not kept: an open file of it would keep the network namespace, and its links, beyond the container's end.
      return { ...texts, pids, network: readOnce(`/proc/${pid}/net/dev`) };
    },
    [Symbol.dispose]() {
      for (const [, file] of files) file[Symbol.dispose]();
      processes[Symbol.dispose]();
    },
  };
}
