import { randomBytes } from 'node:crypto';
import { errorText } from '#shared/errors.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import type { ProbeEvent, ProbeListener } from './control.ts';
import { endUnhealthy } from './ending.ts';
import type { HealthReport } from './engine.ts';
import { pathsOf, type EngineContext, type LiveContainer } from './engine-context.ts';
import { execInContainer } from './executing.ts';
import { writeHealthReport } from './health-file.ts';
import { HealthMonitor } from './health.ts';
import type { Health } from './health-state.ts';
import type { StoredContainer } from './state.ts';

/** As many results of its health check are kept of a container (Docker's number). */
const keptProbes = 5;

export interface HealthWatchOptions {
  readonly context: EngineContext;
  /** Runs an operation in the container's queue; nobody waits for it. */
  readonly inBackground: (id: string, operation: () => Promise<void>) => void;
  /** Brings names and published ports up to date. */
  readonly publish: () => Promise<void>;
}

/** Runs the health checks of live containers and keeps their results in the records. */
export class HealthWatch {
  readonly #options: HealthWatchOptions;
  readonly #listeners = new Set<ProbeListener>();

  constructor(options: HealthWatchOptions) {
    this.#options = options;
  }

  onProbe(listener: ProbeListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Begins with the checks of a live container that has one, unless they go on already or it is paused. */
  watch(id: string, entry: LiveContainer): void {
    const { store, live, clock } = this.#options.context;
    const record: StoredContainer = store.require(id);
    const check = record.config.healthcheck;
    if (check === undefined || entry.health !== undefined || live.get(id) !== entry) return;
    if (record.paused) return;
    entry.health = new HealthMonitor({
      check,
      exec: (request) => this.#probe(id, request),
      startedAtMs: record.startedAtMs ?? clock(),
      clock,
      initial: {
        status: record.health === 'none' ? 'starting' : record.health,
        failures: record.probes?.failures ?? 0,
      },
      onProbe: (probe, health, changed) => {
        if (live.get(id) !== entry) return;
        const last = [...(store.require(id).probes?.last ?? []), probe].slice(-keptProbes);
        this.#keep(id, { failures: health.failures, last });
        if (changed) this.#options.inBackground(id, () => this.#changed(id, entry, health.status, probe.output));
      },
    });
  }

  #keep(id: string, probes: HealthReport): void {
    const { context } = this.#options;
    context.store.update(id, { probes });
    try {
      writeHealthReport(pathsOf(context, id).health, probes);
    } catch (error) {
      context.log('warn', `The health of container ${id.slice(0, 12)} could not be kept: ${errorText(error)}`);
    }
  }

  async #changed(id: string, entry: LiveContainer, status: Health['status'], output: string): Promise<void> {
    const { context, publish } = this.#options;
    if (context.live.get(id) !== entry) return;
    context.store.update(id, { health: status });
    await publish();
    const { config, desired } = context.store.require(id);
    const replaced = config.task !== undefined && config.restart.kind !== 'no' && desired === 'running';
    if (status === 'unhealthy' && replaced) await endUnhealthy(context, id, entry, output.trim());
  }

  /** An exec that is told of, as dockerd does. */
  async #probe(id: string, request: ExecRequest): Promise<ExecSession> {
    const probe = { execId: randomBytes(32).toString('hex'), command: request.args };
    const tell = (event: ProbeEvent): void => {
      for (const listener of this.#listeners) listener(id, event);
    };
    tell({ ...probe, kind: 'created' });
    const session = await execInContainer(this.#options.context, id, request);
    tell({ ...probe, kind: 'started' });
    const ended = (exitCode: number): void => tell({ ...probe, kind: 'ended', exitCode });
    session.exit.then(ended, () => ended(137)); // with its container
    return session;
  }
}
