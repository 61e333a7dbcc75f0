import { BerthError } from '#shared/errors.ts';
import type { Healthcheck, PublishedPort, RestartPolicy } from '#shared/model/service.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import type { ContainerConfig } from '../../container/config.ts';
import { configFromImage } from '../../container/from-image.ts';
import type { ConfigBody, CreateBody, HostConfigBody } from './create-request.ts';

/** What a creation needs beside its body. */
export interface CreateContext {
  readonly name: string;
  /** Unique: no other container shares the published ports. */
  readonly publishGroup: string;
  readonly image: { readonly id: string; readonly config: ImageConfig };
  /** Every host port chosen. */
  readonly ports: readonly PublishedPort[];
}

const nanosecondsPerMs = 1_000_000;

/**
 * The container that a checked body asks for.
 *
 * @throws BerthError `docker.restart-policy`, `docker.field-unsupported`, `container.no-command`
 */
export function containerConfigOf(body: CreateBody, context: CreateContext): ContainerConfig {
  const { HostConfig: hostConfig = {}, NetworkingConfig: _, ...config } = body;
  const host: HostConfigBody = hostConfig ?? {};
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
      ports: [...context.ports],
      restart: restartPolicyOf(host),
      healthcheck: healthcheckOf(config.Healthcheck) ?? undefined,
    },
    { name: context.name, publishGroup: context.publishGroup, hostname: config.Hostname ?? '' },
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
    memoryBytes: host.Memory ?? 0,
    pidsLimit: Math.max(0, host.PidsLimit ?? 0),
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    noNewPrivileges: noNewPrivileges(host.SecurityOpt ?? []),
    ...(host.ShmSize ? { shmBytes: host.ShmSize } : {}),
    additionalGroups: host.GroupAdd ?? [],
    rlimits: (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({ type: Name, soft: Soft, hard: Hard })),
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

function exposed(ports: Readonly<Record<string, unknown>>): { ExposedPorts?: unknown } {
  return Object.keys(ports).length === 0 ? {} : { ExposedPorts: ports };
}

/** The client's variables, then those of the image that it does not name, in Docker's order. */
function environmentOf(own: readonly string[], image: readonly string[]): string[] {
  const names = new Set(own.map((entry) => entry.split('=', 1)[0]));
  return [...own, ...image.filter((entry) => !names.has(entry.split('=', 1)[0]))];
}

/** @throws BerthError `docker.restart-policy` with dockerd's texts */
export function restartPolicyOf({ RestartPolicy: policy, AutoRemove: autoRemove }: HostConfigBody): RestartPolicy {
  const name = policy?.Name || 'no';
  const retries = policy?.MaximumRetryCount ?? 0;
  if (autoRemove === true && name !== 'no') throw badPolicy("can't create 'AutoRemove' container with restart policy");
  if (retries < 0) throw badPolicy('invalid restart policy: maximum retry count cannot be negative');
  if (retries > 0 && name !== 'on-failure') {
    throw badPolicy("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  switch (name) {
    case 'no':
    case 'always':
    case 'unless-stopped':
      return { kind: name };
    case 'on-failure':
      return retries === 0 ? { kind: name } : { kind: name, maxRetries: retries };
    default:
      throw badPolicy(
        `invalid restart policy: unknown policy '${name.slice(0, 40)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
}

function badPolicy(text: string): BerthError {
  return new BerthError('invalid', 'docker.restart-policy', text);
}

/** Undefined: what the image says. */
function healthcheckOf(check: ConfigBody['Healthcheck']): Healthcheck | 'disabled' | undefined {
  const [form, ...rest] = check?.Test ?? [];
  if (check === null || check === undefined || form === undefined) return undefined;
  if (form === 'NONE') return 'disabled';
  const ms = (value: number | null | undefined): number | undefined =>
    value ? Math.max(1, Math.round(value / nanosecondsPerMs)) : undefined;
  return {
    command: form === 'CMD-SHELL' ? ['/bin/sh', '-c', rest.join(' ')] : rest,
    intervalMs: ms(check.Interval) ?? 30_000,
    timeoutMs: ms(check.Timeout) ?? 30_000,
    startPeriodMs: ms(check.StartPeriod) ?? 0,
    retries: check.Retries || 3,
  };
}

function noNewPrivileges(options: readonly string[]): boolean {
  let enabled = false;
  for (const option of options) {
    if (/^no-new-privileges([:=]true)?$/.test(option)) enabled = true;
    else if (/^no-new-privileges[:=]false$/.test(option)) enabled = false;
    else {
      const text = `HostConfig.SecurityOpt: "${option.slice(0, 80)}" is not supported in this version`;
      throw new BerthError('unsupported', 'docker.field-unsupported', text);
    }
  }
  return enabled;
}

/** dockerd's warnings for limits that this host cannot enforce. */
export function discardWarnings(config: ContainerConfig, controllers: readonly string[]): readonly string[] {
  const warnings: string[] = [];
  const tail = 'kernel does not support';
  if (config.memoryBytes > 0 && !controllers.includes('memory')) {
    warnings.push(`Your ${tail} memory limit capabilities or the cgroup is not mounted. Limitation discarded.`);
  }
  if (config.pidsLimit > 0 && !controllers.includes('pids')) {
    warnings.push(`Your ${tail} pids limit capabilities or the cgroup is not mounted. PIDs limit discarded.`);
  }
  return warnings;
}
