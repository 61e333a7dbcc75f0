import { rm } from 'node:fs/promises';
import { BerthError, errorText } from '#shared/errors.ts';
import { encodeLiveLink, encodePlan } from './encode.ts';
import { readExitReport } from './exit-report.ts';
import { errnoText, launchError } from './launch-error.ts';
import { readLaunchRecord, removeLaunchRecord, writeLaunchRecord } from './launch-record.ts';
import type { Launcher, LaunchRequest, LinkSpec, Shim } from './launcher.ts';
import type { LaunchPlan } from './operations.ts';
import { linkOperations, parseAddress, planLaunch } from './plan.ts';
import { planRuntimeLaunch, runtimeDirectories } from './runtime-plan.ts';
import { SeccompCache } from './seccomp-cache.ts';
import { ShimClient } from './shim-client.ts';
import { type SpawnerAnswer, SpawnerProcess } from './spawner-process.ts';
import { SPAWNER_REQUEST, WireWriter } from './wire.ts';

export interface LauncherOptions {
  /** Path of berth-launcher. */
  readonly binary: string;
  /** Mount point of the cgroup v2 hierarchy (`/sys/fs/cgroup`, or `/sys/fs/cgroup/unified`). */
  readonly cgroupRoot: string;
  /**
   * A cgroup (its directory, made if it is not there) for the spawner and so for every shim, which is its child: a service
   * manager that ends or starts the runner's own cgroup again must not meet them. Without one they stay in the runner's.
   */
  readonly shimCgroup?: string;
  /** Where compiled seccomp programs are kept; made if it is not there. */
  readonly cacheDirectory: string;
  /** cgroup v2 controllers that containers get; limits of others are left out. */
  readonly controllers: readonly string[];
  /** The files that a cgroup has on this host (`CgroupTree.files`); absent: those of the controllers. */
  readonly cgroupFiles?: readonly string[];
  /** What was refused that a container can do without, such as raising a hard limit. */
  readonly onWarning?: (containerId: string, text: string) => void;
  /** How long a launch may take before it is given up, in milliseconds. Default: a minute. */
  readonly launchTimeoutMs?: number;
  /** Ends the spawner; containers run on. */
  readonly signal?: AbortSignal;
}

const DEFAULT_LAUNCH_TIMEOUT_MS = 60_000;
/** How long a killed launch may take to end, before its caller is told. */
const KILL_GRACE_MS = 2000;

/** Starts the spawner. */
export async function createLauncher(options: LauncherOptions): Promise<Launcher> {
  const launcher = new SpawnClient(options);
  await launcher.start();
  options.signal?.addEventListener('abort', () => void launcher[Symbol.asyncDispose](), { once: true });
  return launcher;
}

/**
 * The runner's side of the spawner. Invariants: at most one spawner runs; one that has died is replaced at the next
 * request; what a launch will make on the host is on disk before it is asked for.
 */
class SpawnClient implements Launcher {
  readonly #options: LauncherOptions;
  readonly #seccomp: SeccompCache;
  #spawner: Promise<SpawnerProcess> | undefined;
  readonly #sweeps = new Map<string, Promise<void>>();
  /** State directories of launches that were given up, but whose shim has not let go yet. */
  readonly #hanging = new Map<string, Promise<void>>();
  #disposed = false;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#seccomp = new SeccompCache(options.binary, options.cacheDirectory);
  }

  /** The spawner, started again if it has died. */
  async start(): Promise<SpawnerProcess> {
    for (;;) {
      if (this.#disposed) throw new BerthError('conflict', 'launcher.closed', 'launch: the launcher has been closed');
      const current = this.#spawner;
      const spawner = await current?.catch(() => undefined);
      if (spawner?.alive === true) return spawner;
      if (current !== this.#spawner) continue; // another caller has begun a new one meanwhile
      const fresh = SpawnerProcess.start(this.#options.binary, this.#options.shimCgroup);
      this.#spawner = fresh;
      return fresh;
    }
  }

  async launch(request: LaunchRequest): Promise<Shim> {
    const { containerId, stateDirectory, spec } = request;
    if (this.#hanging.has(stateDirectory)) throw hangs(containerId);
    const { cgroupRoot } = this.#options;
    const plan = encodePlan(await this.#plan(request));
    const links = request.links.map((link) => link.hostName);
    writeLaunchRecord(stateDirectory, { cgroupRoot, cgroupPath: spec.linux.cgroupsPath, links });
    const answer = await this.#inTime(request, this.#request(SPAWNER_REQUEST.launch, plan)).catch(
      async (error: unknown) => {
        if (!this.#hanging.has(stateDirectory)) await this.#sweep(stateDirectory);
        throw error;
      },
    );
    for (const warning of answer.warnings) {
      const text = `${warning.operation} ${warning.object}: ${errnoText(warning.errno)}`;
      this.#options.onWarning?.(containerId, text);
    }
    if (!answer.ok) {
      await this.#sweep(stateDirectory);
      throw launchError(`launch container ${containerId.slice(0, 12)}`, answer.report, spec.process.args[0]);
    }
    return this.#started(stateDirectory, answer.report.value, request.attachments ?? 0);
  }

  async #plan(request: LaunchRequest): Promise<LaunchPlan> {
    const { cgroupRoot, controllers, cgroupFiles } = this.#options;
    if (request.runtime !== undefined) {
      const plan = planRuntimeLaunch(request, request.runtime, { cgroupRoot, controllers, cgroupFiles });
      // What a runtime noted of a container that ended with its shim; nothing of that is left by now.
      for (const path of Object.values(runtimeDirectories(request.stateDirectory))) {
        await rm(path, { recursive: true, force: true });
      }
      return plan;
    }
    const { seccomp } = request.spec.linux;
    const seccompProgram = seccomp === undefined ? undefined : await this.#seccomp.program(seccomp);
    return planLaunch(request, { cgroupRoot, controllers, cgroupFiles, seccompProgram });
  }

  async connect(stateDirectory: string): Promise<Shim | undefined> {
    const shim = await ShimClient.connect(stateDirectory, () => this.#sweep(stateDirectory));
    if (shim === undefined) await this.#sweep(stateDirectory);
    return shim;
  }

  async ensureBridge(bridge: { name: string; address: string; prefixLength: number }): Promise<void> {
    const payload = new WireWriter().string(bridge.name).bytes(parseAddress(bridge.address)).u32(bridge.prefixLength);
    const answer = await this.#request(SPAWNER_REQUEST.bridge, payload.finish());
    if (!answer.ok) throw launchError(`ensure bridge ${bridge.name}`, answer.report);
  }

  async removeLink(name: string): Promise<void> {
    const answer = await this.#request(SPAWNER_REQUEST.removeLink, new WireWriter().string(name).finish());
    if (!answer.ok) throw launchError(`remove link ${name}`, answer.report);
  }

  async connectLink(pid: number, link: LinkSpec): Promise<void> {
    const { link: pair, address } = linkOperations(link);
    const answer = await this.#request(SPAWNER_REQUEST.connectLink, encodeLiveLink(pid, pair, address));
    if (!answer.ok) throw liveLinkError(`connect link ${link.hostName}`, pid, answer);
  }

  async disconnectLink(pid: number, containerName: string): Promise<void> {
    const payload = new WireWriter().u32(pid).string(containerName).finish();
    const answer = await this.#request(SPAWNER_REQUEST.disconnectLink, payload);
    if (!answer.ok) throw liveLinkError(`disconnect link ${containerName}`, pid, answer);
  }

  async setGateway(pid: number, containerName: string, gateway: string): Promise<void> {
    const payload = new WireWriter().u32(pid).string(containerName).bytes(parseAddress(gateway)).finish();
    const answer = await this.#request(SPAWNER_REQUEST.setGateway, payload);
    if (!answer.ok) throw liveLinkError(`set gateway ${gateway}`, pid, answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const spawner = await this.#spawner?.catch(() => undefined);
    await spawner?.[Symbol.asyncDispose]();
  }

  async #request(kind: number, payload: Buffer): Promise<SpawnerAnswer> {
    return (await this.start()).request(kind, payload);
  }

  /**
   * The answer, or an error when there is none in time: a process that waits in the kernel (for a file system that does not
   * answer) may do so for ever. Its cgroup is killed; what it cannot let go of yet is removed when it does, and until then
   * the container cannot be launched again, for the old shim's clean-up would hit the new one.
   */
  async #inTime(
    { containerId, stateDirectory }: LaunchRequest,
    answer: Promise<SpawnerAnswer>,
  ): Promise<SpawnerAnswer> {
    const timeoutMs = this.#options.launchTimeoutMs ?? DEFAULT_LAUNCH_TIMEOUT_MS;
    const found = await within(answer, timeoutMs);
    if (found !== undefined) return found;
    await this.#sweep(stateDirectory).catch((error: unknown) => this.#warn(containerId, error));
    const settled = answer.then(
      () => undefined,
      () => undefined,
    );
    const released = settled
      .then(() => this.#sweep(stateDirectory))
      .catch((error: unknown) => this.#warn(containerId, error))
      .finally(() => this.#hanging.delete(stateDirectory));
    this.#hanging.set(stateDirectory, released);
    await within(
      released.then(() => true),
      KILL_GRACE_MS,
    );
    const text = `launch container ${containerId.slice(0, 12)}: its process was not ready after ${timeoutMs} ms and was killed`;
    throw new BerthError('unavailable', 'launch.timeout', text, {
      remedy: 'Look whether the file systems of the data root and of the mounts answer, then start it again.',
    });
  }

  #warn(containerId: string, error: unknown): void {
    this.#options.onWarning?.(containerId, errorText(error));
  }

  /** A container may have ended, and its shim with it, before we are connected. */
  async #started(stateDirectory: string, pid: number, attachments: number): Promise<Shim> {
    const shim = await ShimClient.connect(stateDirectory, () => this.#sweep(stateDirectory), attachments);
    if (shim !== undefined) return shim;
    const report = await readExitReport(stateDirectory);
    if (report !== undefined) return ShimClient.ended(stateDirectory, pid, report);
    await this.#sweep(stateDirectory);
    throw new BerthError('internal', 'shim.lost', `launch: the shim in ${stateDirectory} died at once`);
  }

  /** Removes what a launch left when nobody else can: after its shim's death. Idempotent; one at a time a container. */
  #sweep(stateDirectory: string): Promise<void> {
    const running = this.#sweeps.get(stateDirectory);
    if (running !== undefined) return running;
    const sweep = this.#removeRemains(stateDirectory).finally(() => this.#sweeps.delete(stateDirectory));
    this.#sweeps.set(stateDirectory, sweep);
    return sweep;
  }

  async #removeRemains(stateDirectory: string): Promise<void> {
    const record = await readLaunchRecord(stateDirectory);
    if (record === undefined) return;
    const { cgroupRoot, cgroupPath, links } = record;
    const payload = new WireWriter().string(cgroupRoot).string(cgroupPath).strings(links).finish();
    const answer = await this.#request(SPAWNER_REQUEST.sweep, payload);
    if (!answer.ok) throw launchError(`clean up after ${stateDirectory}`, answer.report);
    await removeLaunchRecord(stateDirectory);
  }
}

/** What `promise` resolves with, undefined when it has not after `timeoutMs`. */
async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const ESRCH = 3;

function liveLinkError(operation: string, pid: number, { report }: SpawnerAnswer): BerthError {
  if (report.errno !== ESRCH) return launchError(operation, report);
  return new BerthError('conflict', 'link.no-process', `${operation}: the process ${pid} of the container has ended`);
}

function hangs(containerId: string): BerthError {
  const text = `launch container ${containerId.slice(0, 12)}: an earlier launch of it still hangs in the kernel`;
  return new BerthError('unavailable', 'launch.hangs', text, {
    remedy: 'It is cleaned up when the file system or device that it waits for answers; else restart the host.',
  });
}
