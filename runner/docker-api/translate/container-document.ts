import type { ContainerConfig } from '../../container/config.ts';
import type { ContainerRecord } from '../../container/engine.ts';
import { dockerDriverName, type DriverName } from '../../storage/driver-name.ts';
import { combinedId } from '../../network/combined-id.ts';
import { defaultLink, endpointDocuments, type NetworkView } from './container-network.ts';
import { apiTime, statusWord } from './container-status.ts';
import { mountPoints } from './create/container-mounts.ts';
import { hostConfigDocument } from './host-config-document.ts';
import type { ContainerSize } from './container-size.ts';

/** Where a container's files are on the host. */
export interface ContainerPlace {
  readonly logPath: string;
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
  /** What of it the storage driver tells. */
  readonly storage: { readonly driver: DriverName; readonly data: Readonly<Record<string, string>> | null };
  /** A volume's directory. */
  readonly volumePath: (name: string) => string;
}

export interface DocumentView {
  readonly network: NetworkView;
  readonly place: ContainerPlace;
  readonly execIds: readonly string[];
  readonly size?: ContainerSize;
}

type Document = Readonly<Record<string, unknown>>;

/** GET /containers/{id}/json (ContainerInspectResponse). */
export function containerDocument(record: ContainerRecord, view: DocumentView): Document {
  const { config } = record;
  const [path = '', ...args] = config.args;
  return {
    Id: record.id,
    Created: apiTime(record.createdAtMs),
    Path: path,
    Args: args,
    State: stateDocument(record),
    Image: config.imageId,
    ResolvConfPath: view.place.resolvConfPath,
    HostnamePath: view.place.hostnamePath,
    HostsPath: view.place.hostsPath,
    LogPath: view.place.logPath,
    Name: `/${config.name}`,
    RestartCount: record.restarts,
    Driver: dockerDriverName(view.place.storage.driver),
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: config.apparmorProfile,
    ExecIDs: view.execIds.length === 0 ? null : view.execIds,
    HostConfig: hostConfigDocument(config),
    GraphDriver: {
      Name: dockerDriverName(view.place.storage.driver),
      Data: view.place.storage.data,
    },
    ...(view.size === undefined ? {} : { SizeRw: view.size.writtenBytes, SizeRootFs: view.size.rootBytes }),
    Mounts: mountPoints(config, view.place.volumePath),
    Config: configDocument(config),
    NetworkSettings: networkSettings(record, view.network),
  };
}

function stateDocument(record: ContainerRecord): Document {
  const { state } = record;
  return {
    Status: statusWord(record),
    Running: state === 'running' || state === 'restarting',
    Paused: record.paused,
    Restarting: state === 'restarting',
    OOMKilled: record.oomKilled,
    Dead: false,
    Pid: record.pid,
    ExitCode: record.exitCode ?? 0,
    Error: record.error,
    StartedAt: apiTime(record.startedAtMs),
    FinishedAt: apiTime(record.finishedAtMs),
    ...healthDocument(record),
  };
}

/** Kept after its end, when it counts as unhealthy, as with dockerd. */
function healthDocument({ health, config, startedAtMs, probes }: ContainerRecord): Document {
  if (config.healthcheck === undefined || (health === 'none' && startedAtMs === undefined)) return {};
  const log = (probes?.last ?? []).map((probe) => ({
    Start: apiTime(probe.startedAtMs),
    End: apiTime(probe.endedAtMs),
    ExitCode: probe.exitCode,
    Output: probe.output,
  }));
  return {
    Health: { Status: health === 'none' ? 'unhealthy' : health, FailingStreak: probes?.failures ?? 0, Log: log },
  };
}

function configDocument(config: ContainerConfig): Document {
  const asked = config.docker?.config ?? {};
  return {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: asked['AttachStdin'] ?? false,
    AttachStdout: asked['AttachStdout'] ?? false,
    AttachStderr: asked['AttachStderr'] ?? false,
    ...(asked['ExposedPorts'] === undefined ? {} : { ExposedPorts: asked['ExposedPorts'] }),
    Tty: config.terminal,
    OpenStdin: config.stdin,
    StdinOnce: asked['StdinOnce'] ?? false,
    Env: config.environment,
    Cmd: asked['Cmd'] ?? (config.docker === undefined ? config.args : null),
    ...healthcheckDocument(config),
    Image: config.image,
    Volumes: asked['Volumes'] ?? null,
    WorkingDir: config.workingDirectory,
    Entrypoint: asked['Entrypoint'] ?? null,
    ...(asked['NetworkDisabled'] === true ? { NetworkDisabled: true } : {}),
    OnBuild: null,
    Labels: config.labels,
    ...(config.stopSignal === 'SIGTERM' ? {} : { StopSignal: config.stopSignal }),
    ...(asked['StopTimeout'] === undefined ? {} : { StopTimeout: asked['StopTimeout'] }),
  };
}

/** As it was asked for, else what is in force. */
function healthcheckDocument({ docker, healthcheck: check }: ContainerConfig): Document {
  const nanoseconds = 1_000_000;
  if (docker?.config['Healthcheck'] !== undefined) return { Healthcheck: docker.config['Healthcheck'] };
  if (check === undefined) return {};
  return {
    Healthcheck: {
      Test: ['CMD', ...check.command],
      Interval: check.intervalMs * nanoseconds,
      Timeout: check.timeoutMs * nanoseconds,
      StartPeriod: check.startPeriodMs * nanoseconds,
      Retries: check.retries,
    },
  };
}

/** `80/tcp` … that the image or the client says are listened on. */
export function exposedPorts(record: ContainerRecord): readonly string[] {
  const exposed = record.config.docker?.config['ExposedPorts'];
  return typeof exposed === 'object' && exposed !== null ? Object.keys(exposed) : [];
}

function networkSettings(record: ContainerRecord, network: NetworkView): Document {
  const link = defaultLink(record);
  const running = record.state === 'running';
  const { published = [] } = record;
  const names = [...exposedPorts(record), ...published.map((port) => `${port.containerPort}/${port.protocol}`)];
  const bindings = names.toSorted().map((name): [string, unknown] => {
    const own = published.filter((port) => `${port.containerPort}/${port.protocol}` === name);
    return [
      name,
      own.length === 0
        ? null
        : own.map(({ hostPort, hostAddress = '0.0.0.0' }) => ({ HostIp: hostAddress, HostPort: `${hostPort}` })),
    ];
  });
  return {
    Bridge: '',
    SandboxID: running ? record.id : '',
    SandboxKey: running ? `/proc/${record.pid}/ns/net` : '',
    Ports: running ? Object.fromEntries(bindings) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: link === undefined ? '' : combinedId(record.id, link.networkId),
    Gateway: link?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: link?.address ?? '',
    IPPrefixLen: link?.prefixLength ?? 0,
    IPv6Gateway: '',
    MacAddress: link?.macAddress ?? '',
    Networks: endpointDocuments(record, network),
  };
}
