import { spawnSync } from 'node:child_process';

/** Of the stock docker client on this machine; 0 where there is none. */
const major = Number(
  /^Docker version (\d+)\./.exec(spawnSync('docker', ['--version'], { encoding: 'utf8' }).stdout)?.[1] ?? 0,
);

/**
 * Whether the client has the options and the words that most tests of the docker client know, which are those of version 28.
 * Debian 12 has 20.10: what is the client's own is not tested with it, the engine is by all other tests.
 */
export const hasClient28 = major >= 28;
