import { z } from 'zod';
import { transcript, works, type FieldEffects } from './field-effect.ts';

const engine = 'test/engine/isolation.test.ts';
const translation = 'runner/docker-api/translate/create/isolation.test.ts';

/** What a container is kept from, and let at. */
export const isolationHostFields: FieldEffects = {
  Devices: works('device nodes, and rules of the device program', engine),
  DeviceCgroupRules: works('rules of the device program', engine),
  DeviceRequests: works('no driver hands out devices: a start fails as with a dockerd without drivers', engine),
  CapAdd: works('bounding, permitted and effective set; rules of the system call filter', engine),
  CapDrop: works('bounding, permitted and effective set; rules of the system call filter', engine),
  CgroupnsMode: works('cgroup namespace, or the host’s', engine),
  IpcMode: works('IPC namespace and /dev/shm', engine),
  Cgroup: works('told again; dockerd gives it no effect either', translation),
  OomScoreAdj: works('oom_score_adj of the first process', engine),
  PidMode: works('PID namespace, the host’s, or another container’s', engine),
  Privileged: works('capabilities, devices, system calls, masks, /sys and cgroup file system', engine),
  ReadonlyRootfs: works('read-only root mount', transcript),
  SecurityOpt: works('seccomp, no-new-privileges, AppArmor where the kernel has it; label has no effect', engine),
  UTSMode: works('UTS namespace, or the host’s', engine),
  UsernsMode: works(
    'user namespace with idmapped mounts: by the runner’s option, none (host), or one (private)',
    engine,
  ),
  Sysctls: works('/proc/sys of the container’s namespaces', engine),
  Runtime: works('the built-in one, or the program of that name', 'test/engine/runtimes.test.ts'),
  MaskedPaths: works('paths that are covered', engine),
  ReadonlyPaths: works('paths that are read-only', engine),
};

const texts = z.array(z.string()).nullish();
const text = z.string().nullish();

export const isolationHostShape = {
  Devices: z.array(z.object({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text })).nullish(),
  DeviceCgroupRules: texts,
  DeviceRequests: z
    .array(z.looseObject({ Driver: text, Capabilities: z.array(z.array(z.string()).nullable()).nullish() }))
    .nullish(),
  CapAdd: texts,
  CapDrop: texts,
  CgroupnsMode: text,
  IpcMode: text,
  OomScoreAdj: z.int().nullish(),
  PidMode: text,
  Privileged: z.boolean().nullish(),
  ReadonlyRootfs: z.boolean().nullish(),
  SecurityOpt: texts,
  UTSMode: text,
  UsernsMode: text,
  Sysctls: z.record(z.string(), z.string()).nullish(),
  Runtime: text,
  MaskedPaths: texts,
  ReadonlyPaths: texts,
};
