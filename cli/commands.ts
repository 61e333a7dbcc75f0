import type { Command } from './command.ts';
import { apply } from './commands/apply.ts';
import { contextLs, contextRm, contextUse } from './commands/context.ts';
import { events } from './commands/events.ts';
import { exec } from './commands/exec.ts';
import { help } from './commands/help.ts';
import { hostLs } from './commands/host-ls.ts';
import { hostRm } from './commands/host-rm.ts';
import { hostToken } from './commands/host-token.ts';
import { imageLoad } from './commands/image-load.ts';
import { imageLs } from './commands/image-ls.ts';
import { login } from './commands/login.ts';
import { logs } from './commands/logs.ts';
import { ps } from './commands/ps.ts';
import { rm } from './commands/rm.ts';
import { scale } from './commands/scale.ts';
import { stackLs } from './commands/stack-ls.ts';
import { tokenCreate, tokenLs, tokenRm } from './commands/token.ts';
import { version } from './commands/version.ts';

/** Every command of the client, in the order in which the help lists them. */
export const commands: readonly Command[] = [
  login,
  contextLs,
  contextUse,
  contextRm,
  tokenCreate,
  tokenLs,
  tokenRm,
  hostLs,
  hostToken,
  hostRm,
  imageLoad,
  imageLs,
  apply,
  stackLs,
  ps,
  logs,
  exec,
  scale,
  rm,
  events,
  version,
  help,
];
