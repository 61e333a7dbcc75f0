import type { Step } from './step.ts';
import { archiveSteps } from './steps/archives.ts';
import { everydaySteps } from './steps/everyday.ts';
import { fileSteps } from './steps/files.ts';
import { historySteps } from './steps/history.ts';
import { imageSteps } from './steps/images.ts';
import { isolationSteps } from './steps/isolation.ts';
import { laterSteps } from './steps/later.ts';
import { listingSteps } from './steps/listing.ts';
import { mistakeSteps } from './steps/mistakes.ts';
import { networkSteps } from './steps/networks.ts';
import { optionSteps } from './steps/options.ts';
import { pruneSteps } from './steps/prune.ts';
import { resourceSteps } from './steps/resources.ts';
import { runSteps } from './steps/run.ts';
import { systemSteps } from './steps/system.ts';
import { terminalSteps } from './steps/terminal.ts';
import { volumeSteps } from './steps/volumes.ts';

/** The commands, in the order in which they are run against one engine. Each group leaves it as it found it. */
export const transcript: readonly Step[] = [
  ...imageSteps,
  ...runSteps,
  ...everydaySteps,
  ...isolationSteps,
  ...resourceSteps,
  ...volumeSteps,
  ...networkSteps,
  ...fileSteps,
  ...optionSteps,
  ...listingSteps,
  ...historySteps,
  ...terminalSteps,
  ...archiveSteps,
  ...laterSteps,
  ...mistakeSteps,
  ...pruneSteps,
  ...systemSteps,
];
