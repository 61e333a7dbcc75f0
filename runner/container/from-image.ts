import { MAX_TIMER_MS } from '#shared/duration.ts';
import { BerthError } from '#shared/errors.ts';
import type { ContainerSpec, Healthcheck, PublishedPort } from '#shared/model/service.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import { containerConfig, type ContainerConfig } from './config.ts';

/** What names a container and ties it to what asked for it. */
export interface ContainerIdentity {
  readonly name: string;
  readonly publishGroup: string;
  /** Empty or absent: the first 12 digits of the container's id. */
  readonly hostname?: string;
  readonly task?: ContainerConfig['task'];
}

type ImageRuntime = NonNullable<ImageConfig['config']>;

const nanosecondsPerMs = 1_000_000;

/**
 * A container's config: what a service says, upon what its image says, by Docker's rules (moby daemon/commit.go,
 * `merge`).
 *
 * @throws BerthError `container.no-command`
 */
export function configFromImage(
  image: { readonly id: string; readonly config: ImageConfig },
  spec: ContainerSpec,
  identity: ContainerIdentity,
): ContainerConfig {
  const runtime: ImageRuntime = image.config.config ?? {};
  const ownCheck = spec.healthcheck === 'disabled' ? undefined : spec.healthcheck;
  const healthcheck = spec.healthcheck === undefined ? imageHealthcheck(runtime.Healthcheck) : ownCheck;
  return containerConfig.parse({
    name: identity.name,
    image: spec.image,
    imageId: image.id,
    args: mergedArgs(runtime, spec),
    environment: mergedEnvironment(runtime.Env ?? [], spec.environment),
    workingDirectory: runtime.WorkingDir ?? '',
    user: runtime.User ?? '',
    hostname: identity.hostname ?? '',
    labels: { ...runtime.Labels, ...spec.labels },
    restart: spec.restart,
    ...(healthcheck === undefined ? {} : { healthcheck: withinTimers(healthcheck) }),
    ports: spec.ports satisfies readonly PublishedPort[],
    publishGroup: identity.publishGroup,
    ...(runtime.StopSignal ? { stopSignal: runtime.StopSignal } : {}),
    ...(identity.task === undefined ? {} : { task: identity.task }),
  });
}

/**
 * Entrypoint then command. An entrypoint of the service's own takes the image's command away with the image's
 * entrypoint; an empty one takes only the entrypoint away; `[""]` is Docker's way to write "no entrypoint".
 */
function mergedArgs(image: ImageRuntime, spec: ContainerSpec): readonly string[] {
  const own = spec.entrypoint;
  const command = spec.command ?? [];
  const inheritsCommand = command.length === 0 && (own === undefined || own.length === 0);
  const entrypoint = (own ?? image.Entrypoint ?? []).filter((word, at) => at > 0 || word !== '');
  const args = [...entrypoint, ...(inheritsCommand ? (image.Cmd ?? []) : command)];
  if (args.length === 0) {
    throw new BerthError('invalid', 'container.no-command', `Image "${spec.image}" names no command to run`, {
      remedy: 'Give the service a command, or build the image with CMD or ENTRYPOINT.',
    });
  }
  return args;
}

/** The service's variables, then those of the image that it does not name. */
function mergedEnvironment(image: readonly string[], own: Readonly<Record<string, string>>): string[] {
  const inherited = image.filter((entry) => !Object.hasOwn(own, entry.split('=', 1)[0] ?? ''));
  return [...Object.entries(own).map(([name, value]) => `${name}=${value}`), ...inherited];
}

/** An image's HEALTHCHECK, undefined for none; zero means Docker's default (30 s, 30 s, 3, none). */
function imageHealthcheck(image: ImageRuntime['Healthcheck']): Healthcheck | undefined {
  const [form, ...rest] = image?.Test ?? [];
  if (image === undefined || image === null || form === undefined || form === 'NONE' || rest.length === 0) {
    return undefined;
  }
  const ms = (value: number | null | undefined, otherwise: number): number =>
    value ? Math.max(1, Math.round(value / nanosecondsPerMs)) : otherwise;
  return {
    command: form === 'CMD-SHELL' ? ['/bin/sh', '-c', rest.join(' ')] : rest,
    intervalMs: ms(image.Interval, 30_000),
    timeoutMs: ms(image.Timeout, 30_000),
    retries: image.Retries ? Math.max(1, image.Retries) : 3,
    startPeriodMs: image.StartPeriod ? Math.max(0, Math.round(image.StartPeriod / nanosecondsPerMs)) : 0,
    ...(image.StartPeriod ? { startIntervalMs: ms(image.StartInterval, 5000) } : {}),
  };
}

/** An image may say any duration; what is over a timer's reach is as good as it. */
function withinTimers(check: Healthcheck): Healthcheck {
  return {
    ...check,
    intervalMs: Math.min(check.intervalMs, MAX_TIMER_MS),
    timeoutMs: Math.min(check.timeoutMs, MAX_TIMER_MS),
    startPeriodMs: Math.min(check.startPeriodMs, MAX_TIMER_MS),
    ...(check.startIntervalMs === undefined ? {} : { startIntervalMs: Math.min(check.startIntervalMs, MAX_TIMER_MS) }),
  };
}
