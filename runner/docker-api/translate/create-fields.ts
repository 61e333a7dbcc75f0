/**
 * What becomes of each field of a container's creation (ContainerCreateRequest of the Docker Engine API v1.51). This is
 * the one declaration: requests are checked by it, and docs/docker-api.md is written from it.
 */
export type FieldEffect =
  /** In force; `where` says by what. */
  | { readonly kind: 'works'; readonly where: string }
  /** Taken and told again, without an effect, as by dockerd on this kind of host. */
  | { readonly kind: 'no-effect'; readonly why: string }
  /** An error for any value but the empty ones and these. */
  | { readonly kind: 'refused'; readonly allows?: readonly unknown[]; readonly why: string };

const works = (where: string): FieldEffect => ({ kind: 'works', where });
const noEffect = (why: string): FieldEffect => ({ kind: 'no-effect', why });
const refused = (why: string, ...allows: readonly unknown[]): FieldEffect => ({ kind: 'refused', why, allows });

const windows = noEffect('only dockerd on Windows heeds it');
const noVolumes = 'this version has no volumes and mounts';
const noNamespaces = 'every container has namespaces of its own in this version';
const noCpu = 'this version sets no cpu limits';
const noBlkio = 'this version sets no block I/O limits';
const noDevices = "containers have Docker's default devices in this version";
const bridgeOnly = 'containers are on the bridge network in this version';

export const configFields: Readonly<Record<string, FieldEffect>> = {
  Hostname: works('UTS namespace, /etc/hostname, /etc/hosts'),
  Domainname: refused('this version sets no domain name'),
  User: works('looked up in the container by the launcher'),
  AttachStdin: noEffect('the attach itself decides'),
  AttachStdout: noEffect('the attach itself decides'),
  AttachStderr: noEffect('the attach itself decides'),
  ExposedPorts: works('shown; published by PublishAllPorts'),
  Tty: works('a pseudo-terminal as stdio'),
  OpenStdin: works('standard input is kept open'),
  StdinOnce: works('standard input ends with the first client that is attached to it'),
  Env: works('environment, upon the image’s'),
  Cmd: works('arguments, upon the image’s'),
  Healthcheck: works('the health monitor'),
  ArgsEscaped: windows,
  Image: works('the root file system and the defaults of this table'),
  Volumes: refused(noVolumes),
  WorkingDir: works('working directory, made when it is not there'),
  Entrypoint: works('arguments, upon the image’s'),
  NetworkDisabled: refused(bridgeOnly, false),
  MacAddress: refused('the address follows from the IP address'),
  OnBuild: noEffect('for builds alone'),
  Labels: works('kept, shown, filtered by'),
  StopSignal: works('stop'),
  StopTimeout: works('stop'),
  Shell: noEffect('for builds alone'),
};

export const hostConfigFields: Readonly<Record<string, FieldEffect>> = {
  CpuShares: refused(noCpu),
  Memory: works('cgroup memory.max; discarded with a warning where there is no memory controller'),
  CgroupParent: refused('containers are in the runner’s own cgroup'),
  BlkioWeight: refused(noBlkio),
  BlkioWeightDevice: refused(noBlkio),
  BlkioDeviceReadBps: refused(noBlkio),
  BlkioDeviceWriteBps: refused(noBlkio),
  BlkioDeviceReadIOps: refused(noBlkio),
  BlkioDeviceWriteIOps: refused(noBlkio),
  CpuPeriod: refused(noCpu),
  CpuQuota: refused(noCpu),
  CpuRealtimePeriod: refused(noCpu),
  CpuRealtimeRuntime: refused(noCpu),
  CpusetCpus: refused(noCpu),
  CpusetMems: refused(noCpu),
  Devices: refused(noDevices),
  DeviceCgroupRules: refused(noDevices),
  DeviceRequests: refused(noDevices),
  KernelMemoryTCP: noEffect('cgroup v2 has no such limit'),
  MemoryReservation: refused('this version sets memory.max alone'),
  MemorySwap: refused('swap is allowed as much as memory in this version'),
  MemorySwappiness: refused('cgroup v2 has no such setting', -1),
  NanoCpus: refused(noCpu),
  OomKillDisable: refused('cgroup v2 has no such setting', false),
  Init: refused('this version runs no init in containers', false),
  PidsLimit: works('cgroup pids.max; discarded with a warning where there is no pids controller'),
  Ulimits: works('resource limits of the first process'),
  CpuCount: windows,
  CpuPercent: windows,
  IOMaximumIOps: windows,
  IOMaximumBandwidth: windows,
  Binds: refused(noVolumes),
  ContainerIDFile: noEffect('the client writes it'),
  LogConfig: refused('the log is json-file with its defaults', { Type: 'json-file' }, { Type: '' }),
  NetworkMode: refused(bridgeOnly, 'default', 'bridge'),
  PortBindings: works('nftables; on every address of the host'),
  RestartPolicy: works('the restart policy'),
  AutoRemove: works('removed at its end, also by the next runner'),
  VolumeDriver: refused(noVolumes),
  VolumesFrom: refused(noVolumes),
  Mounts: refused(noVolumes),
  ConsoleSize: noEffect('the client sets the size when it is attached'),
  Annotations: noEffect('told again by inspect'),
  CapAdd: refused("containers have Docker's default capabilities in this version"),
  CapDrop: refused("containers have Docker's default capabilities in this version"),
  CgroupnsMode: refused(noNamespaces, 'private'),
  Dns: refused('containers have the host’s resolvers in this version'),
  DnsOptions: refused('containers have the host’s resolvers in this version'),
  DnsSearch: refused('containers have the host’s resolvers in this version'),
  ExtraHosts: refused('/etc/hosts has the container’s own names in this version'),
  GroupAdd: works('additional groups of the first process'),
  IpcMode: refused(noNamespaces, 'private'),
  Cgroup: refused(noNamespaces),
  Links: refused('links are not supported; names come with networks'),
  OomScoreAdj: refused('this version leaves it at 0'),
  PidMode: refused(noNamespaces),
  Privileged: refused('this version has no privileged containers', false),
  PublishAllPorts: works('each exposed port gets a free port of the host'),
  ReadonlyRootfs: works('read-only root mount'),
  SecurityOpt: works('no-new-privileges; other options are refused'),
  StorageOpt: refused('this version has no quotas'),
  Tmpfs: refused(noVolumes),
  UTSMode: refused(noNamespaces),
  UsernsMode: refused(noNamespaces),
  ShmSize: works('size of /dev/shm'),
  Sysctls: refused('this version sets no sysctls'),
  Runtime: refused('this version has one runtime', 'berth'),
  Isolation: windows,
  MaskedPaths: refused("containers have Docker's masked paths in this version"),
  ReadonlyPaths: refused("containers have Docker's read-only paths in this version"),
};
