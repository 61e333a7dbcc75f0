import type { HostFacts } from '#shared/model/host.ts';
import { BERTH_VERSION } from '#shared/version.ts';
import type { ContainerRecord } from '../../container/engine.ts';
import { dockerDriverName } from '../../storage/driver-name.ts';
import type { StorageDriver } from '../../storage/storage-driver.ts';
import type { IsolationHost } from './create/isolation.ts';
import { API_VERSION, MIN_API_VERSION } from '../api-version.ts';

/** What the answers about this host are made of. */
export interface HostView {
  readonly facts: HostFacts;
  /** `instanceId` of the data root, the daemon's ID. */
  readonly instance: string;
  readonly dataRoot: string;
  readonly containers: readonly ContainerRecord[];
  readonly imageCount: number;
  readonly isolation: Pick<IsolationHost, 'apparmorProfiles' | 'remapsAll' | 'runtimes'>;
  readonly storage: { readonly driver: Pick<StorageDriver, 'name' | 'status'>; readonly warnings: readonly string[] };
  readonly now: number;
  /** The default logging driver; absent: json-file. */
  readonly logDriver?: string;
}

/** SystemVersion of the Docker Engine API, for GET /version. */
export function versionAnswer({ facts }: Pick<HostView, 'facts'>): Readonly<Record<string, unknown>> {
  const engine = {
    Version: BERTH_VERSION,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: 'linux',
    Arch: facts.architecture,
    KernelVersion: facts.kernel,
    BuildTime: '',
  };
  const { Version, ...details } = engine;
  return {
    Platform: { Name: 'Berth' },
    Components: [{ Name: 'Engine', Version, Details: { ...details, Experimental: 'false' } }],
    ...engine,
    Experimental: false,
  };
}

/** SystemInfo of the Docker Engine API, for GET /info. */
export function infoAnswer(view: HostView): Readonly<Record<string, unknown>> {
  const { facts, containers } = view;
  const active = containers.filter(({ state }) => state === 'running');
  const paused = active.filter((record) => record.paused).length;
  const running = active.length - paused;
  return {
    ID: view.instance,
    Name: facts.hostname,
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - active.length,
    Images: view.imageCount,
    Driver: dockerDriverName(view.storage.driver.name),
    DriverStatus: view.storage.driver.status,
    DockerRootDir: view.dataRoot,
    Plugins: { Volume: [], Network: ['bridge', 'host', 'null'], Authorization: null, Log: ['json-file', 'local'] },
    ...limits(facts.controllers),
    IPv4Forwarding: true,
    Debug: false,
    NFd: 0,
    OomKillDisable: false,
    NGoroutines: 0,
    SystemTime: new Date(view.now).toISOString(),
    LoggingDriver: view.logDriver ?? 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: '2',
    NEventsListener: 0,
    KernelVersion: facts.kernel,
    OperatingSystem: facts.os,
    OSVersion: '',
    OSType: 'linux',
    Architecture: facts.architecture === 'amd64' ? 'x86_64' : 'aarch64',
    IndexServerAddress: '',
    RegistryConfig: { InsecureRegistryCIDRs: [], IndexConfigs: {}, Mirrors: [] },
    NCPU: facts.cpus,
    MemTotal: facts.memoryBytes,
    GenericResources: null,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: BERTH_VERSION,
    Runtimes: Object.fromEntries(
      [...view.isolation.runtimes.programs].map(([name, program]) => [
        name,
        { path: program?.path ?? 'berth-launcher' },
      ]),
    ),
    DefaultRuntime: view.isolation.runtimes.default,
    Swarm: { NodeID: '', LocalNodeState: 'inactive', ControlAvailable: false, Error: '', RemoteManagers: null },
    LiveRestoreEnabled: true, // containers outlive the runner
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: securityOptions(view),
    ProductLicense: '',
    Warnings: warnings(view),
  };
}

function securityOptions({ isolation }: HostView): readonly string[] {
  return [
    ...(isolation.apparmorProfiles === undefined ? [] : ['name=apparmor']),
    'name=seccomp,profile=builtin',
    ...(isolation.remapsAll ? ['name=userns'] : []),
    'name=cgroupns',
  ];
}

function limits(controllers: readonly string[]): Readonly<Record<string, boolean>> {
  const has = (name: string): boolean => controllers.includes(name);
  return {
    MemoryLimit: has('memory'),
    SwapLimit: has('memory'),
    CpuCfsPeriod: has('cpu'),
    CpuCfsQuota: has('cpu'),
    CPUShares: has('cpu'),
    CPUSet: has('cpuset'),
    PidsLimit: has('pids'),
  };
}

/** Of the storage, and what dockerd says of each controller that is not there. */
function warnings({ facts: { controllers }, storage }: HostView): readonly string[] | null {
  const missing: Readonly<Record<string, string>> = {
    memory: 'WARNING: No memory limit support',
    cpu: 'WARNING: No cpu shares support',
    cpuset: 'WARNING: No cpuset support',
    pids: 'WARNING: No pids limit support',
    io: 'WARNING: No io.weight support',
  };
  const absent = Object.keys(missing).flatMap((name) => (controllers.includes(name) ? [] : [missing[name] ?? name]));
  const texts = [...storage.warnings, ...absent];
  return texts.length === 0 ? null : texts;
}
