import { existsSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { BerthError, errorText } from '#shared/errors.ts';
import { removeTree, syncDirectory } from '../os/files.ts';
import { OperationQueue } from '../operation-queue.ts';
import { parseDriverOptions, type DriverOptions } from './driver-options.ts';
import { MountedVolumes } from './mounted-volumes.ts';
import { VolumeHolds } from './volume-holds.ts';
import { checkVolumeName } from './volume-name.ts';
import { BOUND_TO_NOBODY, VolumeStore, type VolumeRecord } from './volume-store.ts';
import type { VolumeUsage } from './volume-usage.ts';

/** A volume that should be there. */
export interface VolumeWish {
  readonly name: string;
  readonly options: DriverOptions;
  readonly labels: Readonly<Record<string, string>> | null;
}

export type VolumeListener = (action: 'create' | 'destroy', volume: VolumeRecord) => void;

/** What keeps volumes there until the record of the container that is made upon them is there. */
export interface VolumeHold extends AsyncDisposable {
  /**
   * The record is there: from now on it keeps the volumes.
   *
   * @param goesWithIt true for a volume that shall be removed with the container
   */
  keep(goesWithIt: (name: string) => boolean): void;
}

export interface VolumesOptions {
  readonly database: DatabaseSync;
  /** The data root's `volumes`; a volume's content is in `NAME/_data` of it. */
  readonly directory: string;
  /** Unix milliseconds. */
  readonly clock: () => number;
  readonly log: (level: 'warn' | 'error', message: string) => void;
}

/*
 * Invariants: a record is there before its directory and goes after it; `boundTo` says before the first step of making
 * or removing what a crash must lead to. A volume that is used or held is never removed, and both are looked at in the
 * same turn in which its removal begins. What is mounted on a volume's directory is unmounted before that is removed.
 */
export class Volumes {
  readonly #store: VolumeStore;
  readonly #directory: string;
  readonly #clock: () => number;
  readonly #log: VolumesOptions['log'];
  readonly #queue = new OperationQueue();
  /** What is asked for one name by its name, one after the other. */
  readonly #requests = new OperationQueue();
  readonly #holds = new VolumeHolds();
  readonly #making = new Map<string, Promise<void>>();
  readonly #removals = new Map<string, Promise<void>>();
  readonly #mounted = new MountedVolumes();
  readonly #listeners = new Set<VolumeListener>();
  #usage: VolumeUsage = { usersOf: () => [], isActive: () => false, isContainer: () => false };

  private constructor({ database, directory, clock, log }: VolumesOptions) {
    this.#store = new VolumeStore(database);
    this.#directory = directory;
    this.#clock = clock;
    this.#log = log;
  }

  static async open(options: VolumesOptions): Promise<Volumes> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    const volumes = new Volumes(options);
    const names = volumes.list().map(({ name }) => name);
    for (const path of names.map((name) => volumes.pathOf(name))) {
      // A loss of power can take a directory whose record it leaves: then nothing was synced in there.
      if (!existsSync(path)) await makeDirectory(path);
    }
    await volumes.#mounted.recover(names, (name) => volumes.pathOf(name));
    return volumes;
  }

  /** From now on the containers are asked who uses what. */
  guard(usage: VolumeUsage): void {
    this.#usage = usage;
  }

  list(): readonly VolumeRecord[] {
    return this.#store.list();
  }

  find(name: string): VolumeRecord | undefined {
    return this.#store.get(name);
  }

  /** @throws BerthError `volume.unknown` */
  require(name: string): VolumeRecord {
    const record = this.#store.get(name);
    if (record === undefined) {
      throw new BerthError('not-found', 'volume.unknown', `get ${name.slice(0, 255)}: no such volume`);
    }
    return record;
  }

  /** The directory of the host with its content. */
  pathOf(name: string): string {
    return join(this.#directory, name, '_data');
  }

  /** Ids of the containers that have it mounted, also of those that are being made. */
  usersOf(name: string): readonly string[] {
    const makers = this.#holds.of(name).filter((id) => id !== BOUND_TO_NOBODY);
    return [...new Set([...this.#usage.usersOf(name), ...makers])];
  }

  onChange(listener: VolumeListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * Makes a volume; one of that name that is there already is answered as it is.
   *
   * @throws BerthError `volume.name-invalid`, `volume.option-invalid`
   */
  create(wish: VolumeWish): Promise<VolumeRecord> {
    return this.#requests.run(wish.name, async () => {
      await using hold = await this.acquire(BOUND_TO_NOBODY, [wish]);
      hold.keep(() => false);
      return this.require(wish.name);
    });
  }

  /**
   * Gets the volumes of a container that is about to be recorded, making those that are missing. Disposing what it
   * answers lets go of them, and removes what was made when no container came of it.
   */
  async acquire(containerId: string, wishes: readonly VolumeWish[]): Promise<VolumeHold> {
    for (const wish of wishes) {
      checkVolumeName(wish.name);
      parseDriverOptions(wish.name, wish.options);
    }
    const names: string[] = [];
    const release = async (): Promise<void> => {
      for (const name of names.splice(0)) this.#holds.drop(name, containerId);
      await this.collect();
      await this.settle();
    };
    try {
      for (const wish of wishes) {
        for (let under = this.#removals.get(wish.name); under; under = this.#removals.get(wish.name)) await under;
        this.#holds.add(wish.name, containerId);
        names.push(wish.name);
        await this.#ensure(wish, containerId);
      }
    } catch (error) {
      await release();
      throw error;
    }
    return {
      keep: (goesWithIt) => {
        for (const name of names) {
          const record = this.#store.get(name);
          if (record?.boundTo === containerId && !goesWithIt(name)) this.#store.bind(name, undefined);
        }
      },
      [Symbol.asyncDispose]: release,
    };
  }

  /** From now on the volumes go when the container does, unless another uses them then. */
  bindTo(containerId: string, names: readonly string[]): void {
    for (const name of names) {
      if (this.#store.get(name)?.boundTo !== BOUND_TO_NOBODY) this.#store.bind(name, containerId);
    }
  }

  /** Removes what is bound to a container that is about to go, and that no other container uses. */
  async removeBound(containerId: string): Promise<void> {
    for (const { name } of this.list()) {
      if (this.#store.get(name)?.boundTo !== containerId) continue; // looked up again: others are removing, too
      if (this.usersOf(name).some((id) => id !== containerId)) this.#store.bind(name, undefined);
      else await this.#remove(name);
    }
    await this.settle();
  }

  /** Removes the volumes whose container is gone, or never came: after a crash, or a creation that failed. */
  async collect(): Promise<void> {
    for (const { name } of this.list()) {
      const boundTo = this.#store.get(name)?.boundTo; // looked up again: others are removing, too
      if (boundTo === undefined || this.#usage.isContainer(boundTo) || this.#removals.has(name)) continue;
      if (this.#holds.has(name)) continue;
      if (this.#usage.usersOf(name).length > 0) this.#store.bind(name, undefined);
      else await this.#remove(name).catch((error: unknown) => this.#log('error', errorText(error)));
    }
  }

  /** @throws BerthError `volume.unknown`, `volume.in-use` */
  remove(name: string): Promise<void> {
    return this.#requests.run(name, async () => {
      this.require(name);
      const users = this.usersOf(name);
      if (users.length > 0) {
        const text = `remove ${name}: volume is in use - [${users.join(', ')}]`;
        throw new BerthError('conflict', 'volume.in-use', text);
      }
      await this.#remove(name);
    });
  }

  /** Runs alone among those who change the volume's content or mount. */
  exclusively<T>(name: string, operation: () => Promise<T>): Promise<T> {
    return this.#queue.run(name, operation);
  }

  /**
   * Mounts what the volume's options say, when it is not mounted; for one without, nothing.
   *
   * @throws BerthError `volume.mount-failed`
   */
  async mount(name: string): Promise<void> {
    const wanted = parseDriverOptions(name, this.require(name).options);
    if (wanted === undefined) return;
    await this.exclusively(name, () => this.#mounted.mount(name, wanted, this.pathOf(name)));
  }

  /** Unmounts the volumes that no running container uses. */
  async settle(): Promise<void> {
    const isNeeded = (name: string): boolean => this.#usage.isActive(name) || this.#holds.has(name);
    for (const name of this.#mounted.names()) {
      if (isNeeded(name)) continue;
      const unmount = async (): Promise<void> => {
        if (!isNeeded(name) && this.#mounted.has(name)) await this.#mounted.unmount(name, this.pathOf(name));
      };
      await this.exclusively(name, unmount).catch((error: unknown) => this.#log('error', errorText(error)));
    }
  }

  /** Leaves nothing of the volumes mounted on the host; after the last container was removed. */
  unmountAll(): Promise<void> {
    return this.#mounted.unmountAll(this.#directory);
  }

  async #ensure(wish: VolumeWish, boundTo: string): Promise<void> {
    if (this.#store.get(wish.name) === undefined) {
      this.#store.insert({ ...wish, createdAtMs: this.#clock(), boundTo });
      const made = this.#make(wish.name).finally(() => this.#making.delete(wish.name));
      this.#making.set(wish.name, made);
    }
    await this.#making.get(wish.name);
  }

  async #make(name: string): Promise<void> {
    try {
      await makeDirectory(this.pathOf(name));
    } catch (error) {
      this.#store.delete(name);
      throw error;
    }
    this.#tell('create', this.require(name));
  }

  #remove(name: string): Promise<void> {
    const underWay = this.#removals.get(name);
    if (underWay !== undefined) return underWay;
    const record = this.require(name);
    this.#store.bind(name, BOUND_TO_NOBODY);
    const removal = this.exclusively(name, async () => {
      const directory = join(this.#directory, name);
      await this.#mounted.unmount(name, directory);
      await removeTree(directory);
      await syncDirectory(this.#directory); // of a volume without a record nobody would know
      this.#store.delete(name);
      this.#tell('destroy', record);
    }).finally(() => this.#removals.delete(name));
    this.#removals.set(
      name,
      removal.catch(() => undefined),
    );
    return removal;
  }

  #tell(action: 'create' | 'destroy', volume: VolumeRecord): void {
    for (const listener of this.#listeners) listener(action, volume);
  }
}

async function makeDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o701 });
  await chmod(path, 0o755); // whatever the umask
}

/** What the Docker API does with volumes. */
export type VolumeControl = Pick<
  Volumes,
  'create' | 'find' | 'list' | 'onChange' | 'pathOf' | 'remove' | 'require' | 'usersOf'
>;
