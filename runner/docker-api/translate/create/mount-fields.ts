import { z } from 'zod';
import { refused, transcript, works, type FieldEffects } from './field-effect.ts';

const noVolumes = 'this version has no volumes and mounts';

/** What of the host, and which volumes, a container sees. */
export const mountConfigFields: FieldEffects = {
  Volumes: refused(noVolumes),
};

export const mountHostFields: FieldEffects = {
  Binds: refused(noVolumes),
  VolumeDriver: refused(noVolumes),
  VolumesFrom: refused(noVolumes),
  Mounts: refused(noVolumes),
  StorageOpt: refused('this version has no quotas'),
  Tmpfs: refused(noVolumes),
  ShmSize: works('size of /dev/shm', transcript),
};

export const mountConfigShape = {};

export const mountHostShape = {
  ShmSize: z.int().min(0).nullish(),
};
