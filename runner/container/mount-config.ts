import { z } from 'zod';

const propagation = z.enum(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);
export type Propagation = z.infer<typeof propagation>;

/** What all that is mounted has. */
const common = {
  /** In the container: absolute, without `.`, `..` and a slash at its end. */
  destination: z.string().startsWith('/'),
  readonly: z.boolean().default(false),
  /** The option words that a client gave, as they are told again. */
  mode: z.string().default(''),
};

const volumeMount = z.object({
  kind: z.literal('volume'),
  ...common,
  name: z.string(),
  /** Nobody gave it a name: it goes with the container when that is asked for (`rm --volumes`, `--rm`). */
  anonymous: z.boolean().default(false),
  /** An empty volume gets what the image has at the destination. */
  copy: z.boolean().default(true),
  /** The part of the volume that is mounted; empty: all. */
  subpath: z.string().default(''),
  /** Undefined: `rprivate`, and told as nothing. */
  propagation: propagation.optional(),
  /** What it is made with when it is not there. */
  labels: z.record(z.string(), z.string()).nullable().default(null),
  driverOptions: z.record(z.string(), z.string()).nullable().default(null),
});
export type ConfiguredVolume = z.infer<typeof volumeMount>;

const bindMount = z.object({
  kind: z.literal('bind'),
  ...common,
  /** On the host, absolute. */
  source: z.string().startsWith('/'),
  /** With what is mounted below the source. */
  recursive: z.boolean().default(true),
  /** `readonly` is of what is mounted below the source, too. */
  readonlyRecursive: z.boolean().default(true),
  propagation: propagation.default('rprivate'),
  /** A source that is not there is made, as a directory. */
  createSource: z.boolean().default(false),
});
export type ConfiguredBind = z.infer<typeof bindMount>;

const tmpfsMount = z.object({
  kind: z.literal('tmpfs'),
  ...common,
  /** Words of mount(8) upon the defaults `noexec,nosuid,nodev`. */
  options: z.array(z.string()).default([]),
  /** Told as a mount, or only as HostConfig.Tmpfs. */
  listed: z.boolean().default(true),
});

const configuredMount = z.discriminatedUnion('kind', [volumeMount, bindMount, tmpfsMount]);
export type ConfiguredMount = z.infer<typeof configuredMount>;

/** What is mounted in a container beside its root: a part of its config. */
export const mountShape = {
  /** Size of /dev/shm. */
  shmBytes: z
    .int()
    .min(0)
    .default(64 * 1024 * 1024),
  mounts: z.array(configuredMount).default([]),
};

const mountConfig = z.object(mountShape);
export type MountConfig = z.infer<typeof mountConfig>;
