import type { VolumeMount } from './driver-options.ts';
import { isBeneath } from './mount-table.ts';
import { mountTable, mountVolume, unmountAll } from './volume-mounts.ts';

/**
 * The volumes that are mounted on the host, by name. Who mounts or unmounts one has to be alone with it meanwhile.
 */
export class MountedVolumes {
  readonly #names = new Set<string>();

  /** Learns what an earlier runner has left mounted. */
  async recover(names: readonly string[], pathOf: (name: string) => string): Promise<void> {
    const table = await mountTable();
    for (const name of names) {
      if (table.some(({ mountPoint }) => mountPoint === pathOf(name))) this.#names.add(name);
    }
  }

  /** As they are now; it may be changed while the answer is gone through. */
  names(): readonly string[] {
    return [...this.#names];
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Where it is mounted already, nothing. @throws BerthError `volume.mount-failed` */
  async mount(name: string, wanted: VolumeMount, path: string): Promise<void> {
    if ((await mountTable()).some(({ mountPoint }) => mountPoint === path)) return;
    await mountVolume(wanted, path);
    this.#names.add(name);
  }

  /** Also what others have mounted on the volume's directory or below. @throws BerthError `volume.mounted` */
  async unmount(name: string, directory: string): Promise<void> {
    await unmountAll(directory);
    this.#names.delete(name);
  }

  /** Whatever is mounted in the directory of all volumes. @throws BerthError `volume.mounted` */
  async unmountAll(directory: string): Promise<void> {
    const table = await mountTable();
    if (table.some(({ mountPoint }) => isBeneath(mountPoint, directory))) await unmountAll(directory);
    this.#names.clear();
  }
}
