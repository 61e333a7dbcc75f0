import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LaunchRequest, Shim } from '../../runner/launcher/launcher.ts';
import { exists, Laboratory, until } from './fixture.ts';

let laboratory: Laboratory;
beforeEach(async () => {
  laboratory = await Laboratory.open({ launchTimeoutMs: 500 });
});
afterEach(() => laboratory[Symbol.asyncDispose]());

test('a process that gets no further is killed in time, told, and leaves nothing', async () => {
  // A frozen parent: what is born below it stops at once, in the kernel.
  mkdirSync(laboratory.cgroup('.'), { recursive: true });
  writeFileSync(laboratory.cgroup('cgroup.freeze'), '1');
  const request = await laboratory.request('echo ran');
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({
    code: 'launch.timeout',
    message: `launch container ${request.containerId.slice(0, 12)}: its process was not ready after 500 ms and was killed`,
  });
  expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
  expect(readdirSync(request.stateDirectory)).toEqual([]);
  writeFileSync(laboratory.cgroup('cgroup.freeze'), '0');
  await using shim = await inTime(request);
  expect((await shim.exit).exitCode).toBe(0);
});

test('a launch that cannot even be killed is told; its container starts again once it has let go', async () => {
  await using first = await inTime(await laboratory.request('true'));
  await first.exit;
  // The shim waits for a writer before it has made anything that could be killed.
  const [program = ''] = readdirSync(join(laboratory.directory, 'cache')).map((name) =>
    join(laboratory.directory, 'cache', name),
  );
  const bytes = readFileSync(program);
  rmSync(program);
  execFileSync('mkfifo', [program]);
  const request = await laboratory.request('true');
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({ code: 'launch.timeout' });
  await expect(laboratory.launcher.launch(request)).rejects.toMatchObject({
    code: 'launch.hangs',
    message: expect.stringContaining('an earlier launch of it still hangs') as string,
  });
  closeSync(openSync(program, 'w'));
  rmSync(program);
  writeFileSync(program, bytes);
  const shim = await inTime(request);
  expect((await shim.exit).exitCode).toBe(0);
  await shim[Symbol.asyncDispose]();
  expect(exists(laboratory.cgroup(request.containerId))).toBe(false);
});

/** Launches once the earlier launch no longer hangs, and again when a busy machine was slower than the time-out. */
async function inTime(request: LaunchRequest): Promise<Shim> {
  let shim: Shim | undefined;
  await until(async () => {
    shim = await laboratory.launcher.launch(request).catch((error: unknown) => {
      if (['launch.hangs', 'launch.timeout'].includes((error as { code?: string }).code ?? '')) return undefined;
      throw error;
    });
    return shim !== undefined;
  });
  if (shim === undefined) throw new Error('no shim');
  return shim;
}
