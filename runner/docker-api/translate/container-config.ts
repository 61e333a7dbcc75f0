import type { ImageConfig } from '#shared/oci/image-config.ts';
import type { ContainerConfig } from '../../container/config.ts';
import type { LogConfig } from '../../container/log-config.ts';
import type { ConfiguredMount } from '../../container/mount-config.ts';
import type { NetworkConfig } from '../../container/network-config.ts';
import { configFromImage } from '../../container/from-image.ts';
import { healthcheckOf } from './create/healthcheck.ts';
import { isolationOf, type IsolationHost } from './create/isolation.ts';
import { logConfigOf } from './create/logging.ts';
import { namesOf } from './create/names.ts';
import { mountsOf } from './create/mounts.ts';
import { resourcesOf } from './create/resources.ts';
import { checkProcess } from './create/process.ts';
import { restartPolicyOf } from './create/restart-policy.ts';
import type { ConfigBody, CreateBody, HostConfigBody } from './create-request.ts';

/** What a creation needs beside its body. */
export interface CreateContext {
  readonly name: string;
  /** Unique: no other container shares the published ports. */
  readonly publishGroup: string;
  readonly image: { readonly id: string; readonly config: ImageConfig };
  /** Where it is, and what it publishes. */
  readonly networking: Pick<NetworkConfig, 'networkNamespace' | 'endpoints' | 'ports'> & { readonly hostname?: string };
  readonly isolation: IsolationHost;
  /** All that is mounted (`containerMounts`). */
  readonly mounts: readonly ConfiguredMount[];
  /** The runner's default; absent: Docker's. */
  readonly log?: LogConfig | undefined;
}

/**
 * The container that a checked body asks for.
 *
 * @throws BerthError `docker.restart-policy`, `docker.working-directory`, `signal.unknown`, `docker.field-unsupported`, `container.no-command`
 */
export function containerConfigOf(body: CreateBody, context: CreateContext): ContainerConfig {
  const { HostConfig: hostConfig = {}, NetworkingConfig: _, ...config } = body;
  const host: HostConfigBody = hostConfig ?? {};
  checkProcess(config);
  const own = argumentList(config.Cmd);
  const entrypoint = argumentList(config.Entrypoint);
  const merged = configFromImage(
    context.image,
    {
      image: config.Image ?? '',
      ...(own === undefined ? {} : { command: [...own] }),
      ...(entrypoint === undefined ? {} : { entrypoint: [...entrypoint] }),
      environment: {},
      labels: config.Labels ?? {},
      ports: [],
      restart: restartPolicyOf(host),
      healthcheck: healthcheckOf(config.Healthcheck) ?? undefined,
    },
    { name: context.name, publishGroup: context.publishGroup },
  );
  const image = context.image.config.config ?? {};
  return {
    ...merged,
    environment: environmentOf(config.Env ?? [], image.Env ?? []),
    user: config.User || merged.user,
    workingDirectory: config.WorkingDir || merged.workingDirectory,
    terminal: config.Tty ?? false,
    stdin: config.OpenStdin ?? false,
    ...(config.StopSignal ? { stopSignal: config.StopSignal } : {}),
    // Negative: as long as it takes, which is as good as a day.
    ...(config.StopTimeout == null
      ? {}
      : { stopTimeoutMs: config.StopTimeout < 0 ? 86_400_000 : config.StopTimeout * 1000 }),
    additionalGroups: host.GroupAdd ?? [],
    ...isolationOf(config, host, context.isolation),
    ...resourcesOf(host),
    ...mountsOf(host),
    mounts: [...context.mounts],
    ...namesOf(config, host),
    ...(config.Hostname ? { hostname: config.Hostname } : {}),
    ...context.networking,
    log: logConfigOf(host, context.log),
    autoRemove: host.AutoRemove ?? false,
    docker: {
      config: {
        AttachStdin: config.AttachStdin ?? false,
        AttachStdout: config['AttachStdout'] ?? false,
        AttachStderr: config['AttachStderr'] ?? false,
        StdinOnce: config.StdinOnce ?? false,
        ...shownHealthcheck(config.Healthcheck ?? image.Healthcheck),
        Cmd: shownCommand(own, entrypoint, image.Cmd),
        Entrypoint: entrypoint === undefined ? (image.Entrypoint ?? null) : entrypoint,
        ...volumesShown({ ...image.Volumes, ...config.Volumes }),
        ...(config.NetworkDisabled === true ? { NetworkDisabled: true } : {}),
        ...exposed({ ...image.ExposedPorts, ...config.ExposedPorts }),
        ...(config.StopTimeout == null ? {} : { StopTimeout: config.StopTimeout }),
      },
      hostConfig: host,
    },
  };
}

/** A text is one argument, as clients before API 1.20 wrote it. Empty lists count as absent but for `[]` of an entry point. */
function argumentList(value: ConfigBody['Cmd']): readonly string[] | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === 'string' ? [value] : value;
}

function shownCommand(
  own: readonly string[] | undefined,
  entrypoint: readonly string[] | undefined,
  image: readonly string[] | null | undefined,
): readonly string[] | null {
  if (own !== undefined && own.length > 0) return own;
  return entrypoint === undefined || entrypoint.length === 0 ? (image ?? null) : null;
}

function shownHealthcheck(check: object | null | undefined): { Healthcheck?: unknown } {
  return check === null || check === undefined ? {} : { Healthcheck: check };
}

function volumesShown(volumes: Readonly<Record<string, unknown>>): { Volumes?: unknown } {
  return Object.keys(volumes).length === 0 ? {} : { Volumes: volumes };
}

function exposed(ports: Readonly<Record<string, unknown>>): { ExposedPorts?: unknown } {
  return Object.keys(ports).length === 0 ? {} : { ExposedPorts: ports };
}

/** The client's variables, then those of the image that it does not name, in Docker's order. */
function environmentOf(own: readonly string[], image: readonly string[]): string[] {
  const names = new Set(own.map((entry) => entry.split('=', 1)[0]));
  return [...own, ...image.filter((entry) => !names.has(entry.split('=', 1)[0]))];
}
