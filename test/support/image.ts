import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { formatReference, parseReference } from '#shared/oci/reference.ts';
import { hostArchitecture } from '../../runner/image/platform.ts';
import { tar } from './tar.ts';
import type { TarEntry } from './tar.ts';

/** What an image says of how to run it; the names of the OCI image config. */
export interface ImageRunConfig {
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  readonly Healthcheck?: { readonly Test: readonly string[]; readonly Interval?: number; readonly Retries?: number };
}

/** An image to be written as an archive of either kind. */
export interface TestImage {
  readonly reference: string;
  /** Plain tars, lowest first. */
  readonly layers: readonly Buffer[];
  readonly config?: ImageRunConfig;
  readonly architecture?: string;
  readonly os?: string;
}

export type LayerCompression = 'none' | 'gzip' | 'zstd';

export function sha256Of(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The config's bytes; their digest is the image's ID. */
export function configOf(image: TestImage): Buffer {
  return Buffer.from(
    JSON.stringify({
      created: '2026-01-01T00:00:00Z',
      architecture: image.architecture ?? hostArchitecture,
      os: image.os ?? 'linux',
      config: image.config ?? {},
      rootfs: { type: 'layers', diff_ids: image.layers.map(sha256Of) },
    }),
  );
}

/** As `docker save` wrote it until 24: `<hex>.json`, `<hex>/layer.tar`, manifest.json. */
export function dockerArchive(images: readonly TestImage[]): Buffer {
  const entries = new Map<string, TarEntry>();
  const manifest = images.map((image) => {
    const config = configOf(image);
    const configName = `${sha256Of(config).slice(7)}.json`;
    entries.set(configName, { name: configName, content: config });
    const layerNames = image.layers.map((layer) => {
      const name = `${sha256Of(layer).slice(7)}/layer.tar`;
      entries.set(name, { name, content: layer });
      return name;
    });
    return { Config: configName, RepoTags: [image.reference], Layers: layerNames };
  });
  return tar([...entries.values(), { name: 'manifest.json', content: JSON.stringify(manifest) }]);
}

const compressors = {
  none: { suffix: '', compress: (bytes: Buffer): Buffer => bytes },
  gzip: { suffix: '+gzip', compress: (bytes: Buffer): Buffer => gzipSync(bytes, { level: 1 }) },
  zstd: { suffix: '+zstd', compress: (bytes: Buffer): Buffer => zstdCompressSync(bytes) },
} as const;

function blobEntry(bytes: Buffer): TarEntry {
  return { name: `blobs/sha256/${sha256Of(bytes).slice(7)}`, content: bytes };
}

/** The files of an OCI image layout, as entries of a tar. */
export function ociLayoutEntries(images: readonly TestImage[], compression: LayerCompression = 'gzip'): TarEntry[] {
  const { suffix, compress } = compressors[compression];
  const blobs = new Map<string, TarEntry>();
  const store = (mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } => {
    blobs.set(sha256Of(bytes), blobEntry(bytes));
    return { mediaType, digest: sha256Of(bytes), size: bytes.length };
  };
  const manifests = images.map((image) => {
    const config = store('application/vnd.oci.image.config.v1+json', configOf(image));
    const layers = image.layers.map((layer) =>
      store(`application/vnd.oci.image.layer.v1.tar${suffix}`, compress(layer)),
    );
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = store(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers })));
    const platform = { architecture: image.architecture ?? hostArchitecture, os: image.os ?? 'linux' };
    return {
      ...manifest,
      platform,
      annotations: { 'org.opencontainers.image.ref.name': formatReference(parseReference(image.reference)) },
    };
  });
  return [
    { name: 'oci-layout', content: JSON.stringify({ imageLayoutVersion: '1.0.0' }) },
    { name: 'index.json', content: JSON.stringify({ schemaVersion: 2, manifests }) },
    ...blobs.values(),
  ];
}

export function ociArchive(images: readonly TestImage[], compression: LayerCompression = 'gzip'): Buffer {
  return tar(ociLayoutEntries(images, compression));
}

/** Debian's busybox-static. */
const busyboxPath = '/bin/busybox';

/** A small root file system: busybox with all of its applets as links, users, and an open /tmp. */
export function busyboxRootfs(extra: readonly TarEntry[] = []): TarEntry[] {
  const applets = execFileSync(busyboxPath, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  return [
    ...['bin', 'dev', 'etc', 'home', 'proc', 'root', 'sys', 'usr', 'usr/bin', 'var', 'var/log'].map(
      (name): TarEntry => ({ name: `${name}/`, type: '5' }),
    ),
    { name: 'tmp/', type: '5', mode: 0o1777 },
    { name: 'bin/busybox', mode: 0o755, content: readFileSync(busyboxPath) },
    ...applets
      .filter((name) => name !== 'busybox')
      .map((name): TarEntry => ({ name: `bin/${name}`, type: '1', mode: 0o755, link: 'bin/busybox' })),
    { name: 'etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' },
    { name: 'etc/group', content: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' },
    ...extra,
  ];
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An image of one busybox layer whose command is a shell. `env` is added to PATH. */
export function busyboxImage(options: {
  reference: string;
  config?: ImageRunConfig;
  env?: readonly string[];
  files?: readonly TarEntry[];
}): TestImage {
  const given = options.env ?? [];
  const env = given.some((pair) => pair.startsWith('PATH=')) ? given : [defaultPath, ...given];
  return {
    reference: options.reference,
    layers: [tar(busyboxRootfs(options.files))],
    config: { Cmd: ['sh'], Env: env, WorkingDir: '/', ...options.config },
  };
}
