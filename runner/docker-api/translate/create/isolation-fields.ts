import { z } from 'zod';
import { refused, transcript, works, type FieldEffects } from './field-effect.ts';

const noNamespaces = 'every container has namespaces of its own in this version';
const noDevices = "containers have Docker's default devices in this version";

/** What a container is kept from, and let at. */
export const isolationHostFields: FieldEffects = {
  Devices: refused(noDevices),
  DeviceCgroupRules: refused(noDevices),
  DeviceRequests: refused(noDevices),
  CapAdd: refused("containers have Docker's default capabilities in this version"),
  CapDrop: refused("containers have Docker's default capabilities in this version"),
  CgroupnsMode: refused(noNamespaces, 'private'),
  IpcMode: refused(noNamespaces, 'private'),
  Cgroup: refused(noNamespaces),
  OomScoreAdj: refused('this version leaves it at 0'),
  PidMode: refused(noNamespaces),
  Privileged: refused('this version has no privileged containers', false),
  ReadonlyRootfs: works('read-only root mount', transcript),
  SecurityOpt: works('no-new-privileges; other options are refused', transcript),
  UTSMode: refused(noNamespaces),
  UsernsMode: refused(noNamespaces),
  Sysctls: refused('this version sets no sysctls'),
  Runtime: refused('this version has one runtime', 'berth'),
  MaskedPaths: refused("containers have Docker's masked paths in this version"),
  ReadonlyPaths: refused("containers have Docker's read-only paths in this version"),
};

export const isolationHostShape = {
  ReadonlyRootfs: z.boolean().nullish(),
  SecurityOpt: z.array(z.string()).nullish(),
};
