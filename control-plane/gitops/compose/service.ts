import { errorText } from '#shared/errors.ts';
import { objectName } from '#shared/model/names.ts';
import type { ContainerSpec, ServiceSpec } from '#shared/model/service.ts';
import { parseReference } from '#shared/oci/reference.ts';
import { readHealthcheck } from './healthcheck.ts';
import { readPorts } from './ports.ts';
import { readCommand, readOnDisconnect, readRestart, readVariables } from './settings.ts';
import type { ComposeSource, Entry } from './source.ts';

/** The keys of a service that are supported. */
const SERVICE_KEYS = [
  'image',
  'command',
  'entrypoint',
  'environment',
  'ports',
  'deploy',
  'restart',
  'healthcheck',
  'labels',
  'x-berth',
] as const;

/** Longest name of an image that is looked at, in characters: no valid one is longer. */
const MAX_IMAGE_NAME = 512;

const MAX_REPLICAS = 10_000;

/**
 * Longest container of one service, in characters of JSON: every replica's is sent to its host, in frames that have a
 * limit (`MAX_CONTROL_FRAME_BYTES`).
 */
const MAX_CONTAINER_CHARACTERS = 128 * 1024;

/** One member of `services`. The answer is used only when the source has no findings. */
export function readService(source: ComposeSource, entry: Entry): ServiceSpec | undefined {
  const name = objectName.safeParse(entry.key);
  if (!name.success) source.fail(entry, `the name of a service ${name.error.issues[0]?.message ?? ''}`, entry.keyNode);
  const members = source.members(entry, SERVICE_KEYS);
  if (members === undefined) return undefined;
  /** Reads a member when it is there. */
  const read = <Value>(key: (typeof SERVICE_KEYS)[number], reader: (source: ComposeSource, at: Entry) => Value) => {
    const at = members.get(key);
    return at === undefined ? undefined : reader(source, at);
  };
  const image = readImage(source, entry, members.get('image'));
  const command = read('command', readCommand);
  const entrypoint = read('entrypoint', readCommand);
  const healthcheck = read('healthcheck', readHealthcheck);
  const container: ContainerSpec = {
    image: image ?? '',
    ...(command === undefined ? {} : { command }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    environment: read('environment', (_, at) => readVariables(source, at, 'refused')) ?? {},
    labels: read('labels', (_, at) => readVariables(source, at, '')) ?? {},
    ports: read('ports', readPorts) ?? [],
    restart: read('restart', readRestart) ?? { kind: 'unless-stopped' },
    ...(healthcheck === undefined ? {} : { healthcheck }),
  };
  if (JSON.stringify(container).length > MAX_CONTAINER_CHARACTERS) {
    source.fail(entry, `this service is over the limit of ${MAX_CONTAINER_CHARACTERS} characters`, entry.keyNode);
  }
  return {
    name: entry.key,
    replicas: read('deploy', readReplicas) ?? 1,
    container,
    onDisconnect: read('x-berth', readOnDisconnect) ?? { kind: 'replace-after', afterMs: 60_000 },
  };
}

function readImage(source: ComposeSource, service: Entry, at: Entry | undefined): string | undefined {
  if (at === undefined) {
    return source.fail(service, 'image is needed; images are not built from a Compose file', service.keyNode);
  }
  const image = source.text(at, 'the name of an image');
  if (image === undefined || /^sha256:[0-9a-f]{64}$/.test(image)) return image;
  try {
    parseReference(image.slice(0, MAX_IMAGE_NAME));
    return image;
  } catch (error) {
    return source.fail(at, errorText(error));
  }
}

function readReplicas(source: ComposeSource, deploy: Entry): number | undefined {
  const at = source.members(deploy, ['replicas'])?.get('replicas');
  return at === undefined ? undefined : source.integer(at, 0, MAX_REPLICAS);
}
