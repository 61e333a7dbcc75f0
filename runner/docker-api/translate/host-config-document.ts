import type { ContainerConfig } from '../../container/config.ts';
import { isolationDocument } from './create/isolation.ts';
import { loggingDocument } from './create/logging.ts';
import { mountsDocument } from './create/mounts.ts';
import { networkingDocument } from './create/networking.ts';
import { resourcesDocument } from './create/resources.ts';

type Document = Readonly<Record<string, unknown>>;

/** HostConfig as inspect tells it: what is in force, upon what was asked for, upon Docker's defaults. */
export function hostConfigDocument(config: ContainerConfig): Document {
  const asked = config.docker?.hostConfig ?? {};
  return {
    ...defaults,
    ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null)),
    RestartPolicy: restartPolicyDocument(config),
    AutoRemove: config.autoRemove ?? false,
    ...isolationDocument(config),
    ...resourcesDocument(config),
    ...mountsDocument(config),
    ...networkingDocument(config),
    ...loggingDocument(config),
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

function restartPolicyDocument({ restart }: ContainerConfig): Document {
  const retries = restart.kind === 'on-failure' ? (restart.maxRetries ?? 0) : 0;
  return { Name: restart.kind, MaximumRetryCount: retries };
}
