import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskView } from '#shared/api/stacks.ts';
import { Admin } from '../conformance/admin.ts';
import { eventually } from '../conformance/eventually.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import { expectNoResidue, snapshotResidue, type Residue } from '../support/residue.ts';
import type { CommandResult } from '../support/stage/command.ts';
import { firstProcess } from '../support/stage/containers.ts';
import type { Daemon } from '../support/stage/daemon.ts';
import { Stage, type Host } from '../support/stage/stage.ts';
import { waitUntil } from '../support/stage/wait-until.ts';

/** The image that both hosts hold. */
export const IMAGE = 'house:1';

/**
 * Heartbeats of a second: a dead connection is seen in ten, which is longer than a busy machine leaves a process
 * unscheduled. (The lease of a task's host stays 30 s.)
 */
const TIMING = ['--heartbeat', '1s', '--lease', '10s'];

const START_MS = 60_000;

/** One task and the host pid of its container's first process. */
export interface RunningTask {
  readonly task: TaskView;
  readonly pid: number;
}

/**
 * A whole cluster of real processes: a control plane, two joined hosts with an image, and the client logged in. Disposing
 * of it fails when anything of it is left on the machine.
 */
export class House implements AsyncDisposable {
  readonly stage: Stage;
  readonly #before: Residue;
  readonly #daemons = new Map<string, Daemon>();
  #admin: Admin | undefined;

  private constructor(stage: Stage, before: Residue) {
    this.stage = stage;
    this.#before = before;
  }

  static async open(): Promise<House> {
    const before = await snapshotResidue();
    const house = new House(await Stage.create(new AbortController().signal), before);
    try {
      await house.#moveIn();
      return house;
    } catch (error) {
      const tails = await house.stage.tails();
      await house[Symbol.asyncDispose]();
      throw new Error(`the house did not come up:\n${tails}`, { cause: error });
    }
  }

  async #moveIn(): Promise<void> {
    this.startControlPlane();
    await this.untilAnswering();
    this.#admin = await Admin.bootstrap(this.stage);
    await this.ok('login', this.stage.url, '--token', this.admin.token);
    const archive = join(this.stage.directory, 'house.tar');
    await writeFile(archive, dockerArchive([busyboxImage({ reference: IMAGE })]));
    await Promise.all(this.stage.hosts.map((host) => this.join(host)));
    for (const host of this.stage.hosts) this.startRunner(host);
    await this.untilReady();
    await this.ok('image', 'load', '-i', archive);
    await eventually(
      () => this.admin.hosts(),
      (hosts) => hosts.every(({ images }) => images.length > 0),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage[Symbol.asyncDispose]();
    await expectNoResidue(this.#before, { within: this.stage.marks });
  }

  /** The API, as its administrator. */
  get admin(): Admin {
    if (this.#admin === undefined) throw new Error('nobody has logged in');
    return this.#admin;
  }

  /** The host of this name. */
  host(name: string): Host {
    const host = this.stage.hosts.find((one) => one.name === name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  /** The running daemon: `control-plane`, or the name of a host for its runner. */
  daemon(name: string): Daemon {
    const daemon = this.#daemons.get(name);
    if (daemon === undefined) throw new Error(`no daemon ${name}`);
    return daemon;
  }

  startControlPlane(): void {
    this.#daemons.set('control-plane', this.stage.startControlPlane(false, ...TIMING));
  }

  startRunner(host: Host): void {
    this.#daemons.set(host.name, this.stage.startRunner(host));
  }

  async join(host: Host): Promise<void> {
    const token = await this.admin.joinToken();
    const { url } = this.stage;
    const join = ['runner', 'join', url, '--token', token, '--name', host.name, '--data-root', host.dataRoot];
    const { exitCode, stderr } = await this.stage.berthOn(host, ...join);
    if (exitCode !== 0) throw new Error(`berth runner join: exit code ${exitCode}\n${stderr}`);
  }

  /** Waits until the control plane's HTTP server answers. */
  async untilAnswering(): Promise<void> {
    const answer = async (): Promise<true | undefined> => {
      this.daemon('control-plane').assertAlive();
      const response = await fetch(`${this.stage.url}/healthz`, { signal: AbortSignal.timeout(10_000) });
      return response.ok ? true : undefined;
    };
    await this.until('the control plane to answer', answer, START_MS);
  }

  /** Waits until every host is connected. */
  async untilReady(): Promise<void> {
    const ready = async (): Promise<true | undefined> => {
      for (const { name } of this.stage.hosts) this.daemon(name).assertAlive();
      const hosts = await this.admin.hosts();
      const count = hosts.filter((host) => host.state === 'ready').length;
      return count === this.stage.hosts.length ? true : undefined;
    };
    await this.until('all hosts to be ready', ready, START_MS);
  }

  until<Value>(what: string, ask: () => Promise<Value | undefined>, deadlineMs = 60_000): Promise<Value> {
    return waitUntil(what, ask, { deadlineMs, signal: new AbortController().signal });
  }

  berth(...args: readonly string[]): Promise<CommandResult> {
    return this.stage.berth(...args);
  }

  /** What the client printed; it must succeed. */
  async ok(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.berth(...args);
    if (exitCode === 0) return stdout;
    throw new Error(`berth ${args.join(' ')}: exit code ${exitCode}\n${stderr}${stdout}`);
  }

  /** The client's refusal: exit code and what it said on standard error. */
  async refused(...args: readonly string[]): Promise<{ readonly exitCode: number; readonly text: string }> {
    const { exitCode, stdout, stderr } = await this.berth(...args);
    if (exitCode === 0) throw new Error(`berth ${args.join(' ')} succeeded: ${stdout}`);
    return { exitCode, text: stderr };
  }

  /** Writes a Compose file and answers its path. */
  async compose(name: string, text: string): Promise<string> {
    const path = join(this.stage.directory, `${name}.yaml`);
    await writeFile(path, text);
    return path;
  }

  /** The running tasks of a stack with their processes, once there are `count` and each has one. */
  async running(stack: string, count: number, withinMs?: number): Promise<readonly RunningTask[]> {
    const ask = async (): Promise<readonly RunningTask[] | undefined> => {
      const tasks = (await this.admin.tasks(stack)).filter(({ desired }) => desired);
      const running = tasks.filter(({ state, health }) => state === 'running' && health !== 'starting');
      if (tasks.length !== count || running.length !== count) {
        throw new Error(tasks.map(({ slot, state, message }) => `${slot} ${state} ${message}`).join('; '));
      }
      const found = await Promise.all(
        running.map(async (task) => ({ task, pid: await firstProcess(task.containerId ?? 'none') })),
      );
      return found.every((one): one is RunningTask => one.pid !== undefined) ? found : undefined;
    };
    return this.until(`${count} running tasks of ${stack}`, ask, withinMs);
  }

  /** Waits until none of these containers has a process. */
  async untilGone(containerIds: readonly (string | undefined)[]): Promise<void> {
    for (const id of containerIds) {
      if (id === undefined) continue;
      await this.until(`the end of ${id}`, async () => ((await firstProcess(id)) === undefined ? true : undefined));
    }
  }

  /** What a daemon has said so far. */
  said(name: string): Promise<string> {
    return readFile(this.daemon(name).logPath, 'utf8');
  }
}

/** A service that ends at once when asked to, and says when it starts. */
export function service(options: {
  readonly replicas?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly more?: readonly string[];
}): string {
  const { replicas = 1, environment = {}, more = [] } = options;
  const script = "trap 'exit 0' TERM; echo started; while :; do sleep 1 & wait; done";
  return [
    `    image: ${IMAGE}`,
    `    command: ["/bin/sh", "-c", ${JSON.stringify(script)}]`,
    `    environment: ${JSON.stringify(environment)}`,
    `    deploy: { replicas: ${replicas} }`,
    ...more.map((line) => `    ${line}`),
  ].join('\n');
}
