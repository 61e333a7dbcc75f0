import type { ContainerConfig } from '../../container/config.ts';

type Document = Readonly<Record<string, unknown>>;

/** HostConfig as inspect tells it: what is in force, upon what was asked for, upon Docker's defaults. */
export function hostConfigDocument(config: ContainerConfig): Document {
  const asked = config.docker?.hostConfig ?? {};
  return {
    ...defaults,
    ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null)),
    NetworkMode: 'bridge',
    PortBindings: portBindings(config),
    RestartPolicy: restartPolicyDocument(config),
    AutoRemove: config.autoRemove ?? false,
    ReadonlyRootfs: config.readonlyRootfs,
    ShmSize: config.shmBytes,
    Memory: config.memoryBytes,
    PidsLimit: config.pidsLimit === 0 ? null : config.pidsLimit,
    LogConfig: { Type: 'json-file', Config: {} },
    Runtime: 'berth',
    CgroupnsMode: 'private',
    IpcMode: 'private',
  };
}

const defaults: Document = {
  Binds: null,
  ContainerIDFile: '',
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  Dns: [],
  DnsOptions: [],
  DnsSearch: [],
  ExtraHosts: null,
  GroupAdd: null,
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  Isolation: '',
  CpuShares: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
};

function portBindings(config: ContainerConfig): Document {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { containerPort, protocol, hostPort } of config.ports) {
    (bindings[`${containerPort}/${protocol}`] ??= []).push({ HostIp: '', HostPort: `${hostPort}` });
  }
  return bindings;
}

function restartPolicyDocument({ restart }: ContainerConfig): Document {
  const retries = restart.kind === 'on-failure' ? (restart.maxRetries ?? 0) : 0;
  return { Name: restart.kind, MaximumRetryCount: retries };
}
