import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const room = new URL('..', import.meta.url).href;

/** What each of the runner's programs is started by, in a process that has no descriptor left. */
const program = `
  import { openSync } from 'node:fs';
  import { NftSession } from '${room}network/nft.ts';
  import { SpawnerProcess } from '${room}launcher/spawner-process.ts';
  import { SeccompCache } from '${room}launcher/seccomp-cache.ts';
  import { unpack } from '${room}image/unpack.ts';
  const profile = { defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: [] };
  const limits = { contentBytes: 1, entries: 1, depth: 1, ratio: 1 };
  const starts = [
    () => new NftSession().apply('list tables'),
    () => SpawnerProcess.start('/bin/true'),
    () => new SeccompCache('/bin/true', process.argv[1]).program(profile),
    () => unpack('/bin/true', process.argv[1], { kind: 'file', fd: 0 }, { limits }),
  ];
  try { for (;;) openSync('/dev/null'); } catch {}
  for (const start of starts) await start().catch((error) => console.log(error.code));
  await new Promise((wake) => setTimeout(wake, 50)); // a late error event would end the process now
  console.log('alive');`;

test('a process that cannot be started for want of descriptors is an error, and not the end of the runner', () => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-started-'));
  try {
    const node = [process.execPath, '--input-type=module-typescript', '-e', program, directory];
    const said = execFileSync('prlimit', ['--nofile=64:64', ...node], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(said).toBe(`${'process.not-started\n'.repeat(4)}alive\n`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
