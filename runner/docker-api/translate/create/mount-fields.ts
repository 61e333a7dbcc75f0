import { z } from 'zod';
import { works, type FieldEffects } from './field-effect.ts';

const volumesTest = 'test/engine/volumes.test.ts';

/** What of the host, and which volumes, a container sees. */
export const mountConfigFields: FieldEffects = {
  Volumes: works('anonymous volumes, with those of the image', volumesTest),
};

export const mountHostFields: FieldEffects = {
  Binds: works('directories of the host, and volumes by name', volumesTest),
  VolumeDriver: works('only `local`; others are not found, as without plugins', 'test/engine/volumes-api.test.ts'),
  VolumesFrom: works('mounts of other containers', volumesTest),
  Mounts: works('bind, volume and tmpfs; other types are refused', volumesTest),
  StorageOpt: works(
    'refused as by dockerd where the file system has no project quotas',
    'test/engine/volume-refusals.test.ts',
  ),
  Tmpfs: works('tmpfs mounts', volumesTest),
  ShmSize: works('size of /dev/shm', 'test/docker-cli/transcript.ts'),
};

export const mountConfigShape = {
  Volumes: z.record(z.string(), z.unknown()).nullish(),
};

const labels = z.record(z.string(), z.string()).nullish();

const mountBody = z.object({
  Type: z.string().default(''),
  Source: z.string().default(''),
  Target: z.string().default(''),
  ReadOnly: z.boolean().default(false),
  Consistency: z.string().nullish(),
  BindOptions: z
    .object({
      Propagation: z.string().default(''),
      NonRecursive: z.boolean().default(false),
      CreateMountpoint: z.boolean().default(false),
      ReadOnlyNonRecursive: z.boolean().default(false),
      ReadOnlyForceRecursive: z.boolean().default(false),
    })
    .nullish(),
  VolumeOptions: z
    .object({
      NoCopy: z.boolean().default(false),
      Labels: labels,
      Subpath: z.string().default(''),
      DriverConfig: z.object({ Name: z.string().default(''), Options: labels }).nullish(),
    })
    .nullish(),
  TmpfsOptions: z
    .object({
      SizeBytes: z.int().min(0).nullish(),
      Mode: z.int().min(0).nullish(),
      Options: z.array(z.array(z.string())).nullish(),
    })
    .nullish(),
});
/** Mount of the Docker Engine API. */
export type MountBody = z.infer<typeof mountBody>;

export const mountHostShape = {
  ShmSize: z.int().min(0).nullish(),
  Binds: z.array(z.string()).nullish(),
  VolumeDriver: z.string().nullish(),
  VolumesFrom: z.array(z.string()).nullish(),
  Mounts: z.array(mountBody).nullish(),
  StorageOpt: z.record(z.string(), z.string()).nullish(),
  Tmpfs: z.record(z.string(), z.string()).nullish(),
};
