import type { Weakening } from './weakening.ts';
import { copyWeakenings } from './weakenings/copy.ts';
import { engineWeakenings } from './weakenings/engine.ts';
import { launcherWeakenings } from './weakenings/launcher.ts';
import { layerWeakenings } from './weakenings/layers.ts';
import { messageWeakenings } from './weakenings/messages.ts';
import { policyWeakenings } from './weakenings/policy.ts';
import { privilegeWeakenings } from './weakenings/privileges.ts';
import { rootWeakenings } from './weakenings/container-root.ts';

/** Every weakening of the campaign. */
export const weakenings: readonly Weakening[] = [
  ...launcherWeakenings,
  ...rootWeakenings,
  ...privilegeWeakenings,
  ...policyWeakenings,
  ...messageWeakenings,
  ...engineWeakenings,
  ...layerWeakenings,
  ...copyWeakenings,
];
