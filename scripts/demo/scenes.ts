import { readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hostList } from '#shared/api/hosts.ts';
import { taskList, type TaskView } from '#shared/api/stacks.ts';
import { createdJoinToken } from '#shared/api/hosts.ts';
import type { CommandResult } from '../../test/support/stage/command.ts';
import { runOk } from '../../test/support/stage/command.ts';
import { firstProcess } from '../../test/support/stage/containers.ts';
import type { Daemon } from '../../test/support/stage/daemon.ts';
import type { Narrator } from './narrator.ts';
import type { Host, Stage } from '../../test/support/stage/stage.ts';
import { waitUntil } from '../../test/support/stage/wait-until.ts';

const PUBLISHED_PORT = 8080;
const FETCH_TIMEOUT_MS = 2000;
const repository = join(import.meta.dirname, '..', '..');

interface DemoOptions {
  readonly edge: boolean;
  readonly signal: AbortSignal;
}

/** From nothing to a stack that has survived a container's and a runner's death. */
export async function hello(stage: Stage, narrator: Narrator, { edge, signal }: DemoOptions): Promise<void> {
  await narrator.step(`Start the control plane (${edge ? 'edge runtime' : 'Node'}) and log in`, async () => {
    const controlPlane = stage.startControlPlane(edge);
    await logIn(stage, narrator, controlPlane, signal);
  });
  const runners = await narrator.step('Two hosts join by one-use tokens and dial out', () =>
    joinHosts(stage, narrator, signal),
  );
  await narrator.step('Build an image of one layer and load it through the control plane', async () => {
    const archive = join(stage.directory, 'hello.tar');
    const makeImage = ['scripts/make-image.ts', '--reference', 'hello:1', '--output'];
    await runOk([process.execPath, ...makeImage, archive], { signal, directory: repository });
    narrator.typed(`node ${makeImage.join(' ')} hello.tar`, '');
    await typed(stage, narrator, 'image', 'load', '-i', archive);
    await typed(stage, narrator, 'image', 'ls');
  });
  await narrator.step('Apply the Compose file and wait until all is healthy', async () => {
    await typed(stage, narrator, 'apply', '-f', 'examples/hello/compose.yaml', '--wait', '--timeout', '90s');
    await typed(stage, narrator, 'ps');
  });
  await narrator.step("Fetch a page from each host's published port", async () => {
    for (const host of stage.hosts) narrator.say(`   ${host.name}: ${await fetchPage(host, signal)}`);
  });
  await narrator.step('Kill a container: it comes back', () => killContainer(stage, narrator, signal));
  await narrator.step('Kill a runner: its containers keep running and are adopted again', () =>
    killRunner(stage, narrator, runners[0], signal),
  );
  await narrator.step('Read logs and run commands through the control plane', () => logsAndExec(stage, narrator));
}

/** The end of the stack, while hosts and control plane still stand. */
export async function afterwards(stage: Stage, narrator: Narrator, signal: AbortSignal): Promise<void> {
  await narrator.step('Remove the stack', async () => {
    const tasks = await currentTasks(stage);
    await typed(stage, narrator, 'rm', 'hello', '--wait', '--timeout', '60s');
    for (const { containerId = '' } of tasks) {
      const gone = async (): Promise<true | undefined> =>
        containerId === '' || (await firstProcess(containerId)) === undefined ? true : undefined;
      await waitUntil(`the end of container ${containerId.slice(0, 12)}`, gone, { signal });
    }
    stage.assertAlive();
  });
}

async function logIn(stage: Stage, narrator: Narrator, controlPlane: Daemon, signal: AbortSignal): Promise<void> {
  const result = await waitUntil(
    'the control plane to answer',
    async () => {
      controlPlane.assertAlive();
      const attempt = await stage.berth('login', stage.url, '--bootstrap', stage.bootstrapSecret, '--name', 'demo');
      return attempt.exitCode === 6 ? undefined : attempt;
    },
    { deadlineMs: 90_000, signal },
  );
  narrator.typed(`berth login ${stage.url} --bootstrap …`, succeeded('berth login', result).stderr);
}

async function joinHosts(stage: Stage, narrator: Narrator, signal: AbortSignal): Promise<readonly [Daemon, Daemon]> {
  const [alpha, beta] = stage.hosts;
  for (const host of stage.hosts) {
    const { token } = createdJoinToken.parse(await berthJson(stage, 'host', 'token'));
    const join = ['runner', 'join', stage.url, '--token', token, '--name', host.name, '--data-root', host.dataRoot];
    succeeded('berth runner join', await stage.berthOn(host, ...join));
    narrator.typed(`berth runner join ${stage.url} --token … --name ${host.name}`, '');
  }
  const runners = [stage.startRunner(alpha), stage.startRunner(beta)] as const;
  await hostsReady(stage, signal);
  await typed(stage, narrator, 'host', 'ls');
  return runners;
}

async function hostsReady(stage: Stage, signal: AbortSignal): Promise<void> {
  const ready = async (): Promise<true | undefined> => {
    stage.assertAlive();
    const { hosts } = hostList.parse(await berthJson(stage, 'host', 'ls'));
    return hosts.filter((host) => host.state === 'ready').length === stage.hosts.length ? true : undefined;
  };
  await waitUntil('both hosts to be ready', ready, { signal });
}

async function killContainer(stage: Stage, narrator: Narrator, signal: AbortSignal): Promise<void> {
  const task = await taskOf(stage, (one) => one.service === 'web' && one.slot === 1);
  const pid = await pidOf(task);
  process.kill(pid, 'SIGKILL');
  narrator.typed(`kill -9 ${pid} # process 1 of hello/web.1 on ${task.host?.name ?? ''}`, '');
  const back = await waitUntil(
    'hello/web.1 to run and be healthy again',
    async () => {
      const now = await taskOf(stage, (one) => one.service === 'web' && one.slot === 1);
      const newPid = now.containerId === undefined ? undefined : await firstProcess(now.containerId);
      const isBack = now.state === 'running' && now.health === 'healthy' && newPid !== undefined && newPid !== pid;
      return isBack ? { task: now, pid: newPid } : undefined;
    },
    { signal },
  );
  narrator.say(`   hello/web.1 runs again: process ${back.pid}, ${back.task.restarts} restart(s)`);
}

async function killRunner(stage: Stage, narrator: Narrator, runner: Daemon, signal: AbortSignal): Promise<void> {
  const [alpha] = stage.hosts;
  const before = await pidsOn(stage, alpha);
  await runner.kill();
  narrator.typed(`kill -9 ${runner.pid} # the runner of ${alpha.name}`, '');
  const during = await Promise.all([...before.keys()].map((id) => firstProcess(id)));
  if (during.join() !== [...before.values()].join())
    throw new Error(`containers died with the runner: ${during.join()}`);
  narrator.say(
    `   its ${before.size} containers still run; a page from ${alpha.name}: ${await fetchPage(alpha, signal)}`,
  );
  stage.startRunner(alpha);
  await hostsReady(stage, signal);
  const after = await waitUntil(
    `the containers of ${alpha.name} to be healthy again`,
    async () => {
      const tasks = await tasksOn(stage, alpha);
      return tasks.every((task) => task.state === 'running') ? pidsOn(stage, alpha) : undefined;
    },
    { signal },
  );
  const same = after.size === before.size && [...before].every(([id, pid]) => after.get(id) === pid);
  if (!same) throw new Error(`not the same containers: ${JSON.stringify([[...before], [...after]])}`);
  narrator.say('   a new runner has adopted them: the same containers, the same processes');
  for (const [id, pid] of after) narrator.say(`     ${id.slice(0, 12)} process ${pid}`);
}

async function logsAndExec(stage: Stage, narrator: Narrator): Promise<void> {
  const log = await typed(stage, narrator, 'logs', '--tail', '3', 'hello/worker');
  if (!/worked at \d\d:\d\d:\d\d/.test(log)) throw new Error('the log of the worker is not there');
  const task = await taskOf(stage, (one) => one.service === 'web' && one.slot === 2);
  await typed(stage, narrator, 'exec', 'hello/web.2', 'hostname');
  // The command was in the container, if it was in the pid namespace of the container's first process.
  const namespace = await typed(stage, narrator, 'exec', 'hello/web.2', 'readlink', '/proc/self/ns/pid');
  const expected = await readlink(`/proc/${await pidOf(task)}/ns/pid`);
  if (namespace.trim() !== expected) throw new Error(`exec was in ${namespace.trim()}, not in ${expected}`);
  const { exitCode } = await stage.berth('exec', 'hello/web.3', 'sh', '-c', 'exit 7');
  narrator.typed("berth exec hello/web.3 sh -c 'exit 7'; echo $?", String(exitCode));
  if (exitCode !== 7) throw new Error(`the exit code did not come through: ${exitCode}`);
}

async function fetchPage(host: Host, signal: AbortSignal): Promise<string> {
  const url = `http://${host.address}:${PUBLISHED_PORT}/`;
  const page = async (): Promise<string | undefined> => {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) });
    return response.ok ? response.text() : undefined;
  };
  const text = await waitUntil(`a page from ${url}`, page, { signal });
  if (!text.includes('Hello from container')) throw new Error(`${url} is not our page: ${text}`);
  return text.replaceAll(/\s+/g, ' ').trim();
}

async function currentTasks(stage: Stage): Promise<readonly TaskView[]> {
  return taskList.parse(await berthJson(stage, 'ps', 'hello')).tasks;
}

async function tasksOn(stage: Stage, host: Host): Promise<readonly TaskView[]> {
  return (await currentTasks(stage)).filter((task) => task.host?.name === host.name);
}

async function taskOf(stage: Stage, match: (task: TaskView) => boolean): Promise<TaskView> {
  const found = (await currentTasks(stage)).find(match);
  if (found === undefined) throw new Error('the task is not there');
  return found;
}

async function pidOf(task: TaskView): Promise<number> {
  const pid = await firstProcess(task.containerId ?? 'none');
  if (pid === undefined) throw new Error(`container ${task.containerId} has no process`);
  return pid;
}

/** The containers of a host by id, each with the host pid of its first process. */
async function pidsOn(stage: Stage, host: Host): Promise<ReadonlyMap<string, number>> {
  const tasks = await tasksOn(stage, host);
  return new Map(await Promise.all(tasks.map(async (task) => [task.containerId ?? '', await pidOf(task)] as const)));
}

async function berthJson(stage: Stage, ...args: readonly string[]): Promise<unknown> {
  return z.unknown().parse(JSON.parse(succeeded('berth', await stage.berth(...args, '--json')).stdout));
}

/** Runs the client, shows it, and insists that it succeeds. */
async function typed(stage: Stage, narrator: Narrator, ...args: readonly string[]): Promise<string> {
  const result = await stage.berth(...args);
  const command = `berth ${args.map((word) => word.replace(`${stage.directory}/`, '')).join(' ')}`;
  narrator.typed(command, result.stdout);
  return succeeded(command, result).stdout;
}

function succeeded(command: string, result: CommandResult): CommandResult {
  if (result.exitCode === 0) return result;
  throw new Error(`${command}: exit code ${result.exitCode}\n${result.stderr}${result.stdout}`.trimEnd());
}
