import { setTimeout as delay } from 'node:timers/promises';
import type { Healthcheck } from '#shared/model/service.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import { initialHealth, nextHealth, type Health } from './health-state.ts';

/** What a probe told: its exit code, or why there is none, and the first of its output. */
export interface ProbeResult {
  readonly passed: boolean;
  readonly output: string;
}

export interface HealthMonitorOptions {
  readonly check: Healthcheck;
  /** The container's own environment, user and working directory are used. */
  readonly exec: (request: ExecRequest) => Promise<ExecSession>;
  /** When the container started, by `clock`. */
  readonly startedAtMs: number;
  readonly clock: () => number;
  readonly initial?: Health['status'];
  /** Called when the status changed. */
  readonly onStatus: (status: Health['status'], result: ProbeResult) => void;
}

/** Node's longest timer: what is longer would go off at once. */
const longestTimerMs = 2 ** 31 - 1;

const outputLimitBytes = 4096;
const sigkill = 9;

/**
 * Probes one running container for as long as it runs: a pause of `intervalMs`, a probe, and so on, never two at once.
 * Disposing ends it without waiting for a probe under way, whose process ends with the container or by its timeout.
 */
export class HealthMonitor implements Disposable {
  readonly #options: HealthMonitorOptions;
  readonly #ended = new AbortController();
  /** When the container started, by performance.now(): a clock that is set does not change its start period. */
  readonly #startedAt: number;
  #health: Health;

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#startedAt = performance.now() - Math.max(0, options.clock() - options.startedAtMs);
    this.#health = { ...initialHealth, status: options.initial ?? 'starting' };
    void this.#run();
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
  }

  async #run(): Promise<void> {
    const { check } = this.#options;
    const { signal } = this.#ended;
    for (;;) {
      await delay(Math.min(check.intervalMs, longestTimerMs), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const sinceStartMs = performance.now() - this.#startedAt;
      const result = await this.#probe();
      // A probe that was cut off by the container's end tells nothing. (`aborted` has changed over the await.)
      if (this.#ended.signal.aborted) return;
      const before = this.#health.status;
      this.#health = nextHealth(this.#health, { passed: result.passed, sinceStartMs }, check);
      if (this.#health.status !== before) this.#options.onStatus(this.#health.status, result);
    }
  }

  async #probe(): Promise<ProbeResult> {
    const { check, exec } = this.#options;
    try {
      const request = { args: check.command, env: [], cwd: '', user: '', terminal: false, stdin: false };
      await using session = await exec(request);
      return await runProbe(session, check.timeoutMs);
    } catch (error) {
      return { passed: false, output: error instanceof Error ? error.message : String(error) };
    }
  }
}

async function runProbe(session: ExecSession, timeoutMs: number): Promise<ProbeResult> {
  const output = firstOutput(session);
  const timer = new AbortController();
  const late = delay(Math.min(timeoutMs, longestTimerMs), 'late' as const, { signal: timer.signal }).catch(
    () => 'late' as const,
  );
  const ended = await Promise.race([session.exit, late]);
  timer.abort();
  if (ended === 'late') {
    await session.signal(sigkill);
    await session.exit.catch(() => undefined);
    return { passed: false, output: `The health check exceeded its timeout of ${timeoutMs} ms. ${output()}` };
  }
  return { passed: ended === 0, output: output() };
}

/** Reads all of the output, so that the probe never stalls, and keeps the first 4 KiB. */
function firstOutput(session: ExecSession): () => string {
  const kept: Buffer[] = [];
  let bytes = 0;
  for (const stream of [session.stdout, session.stderr]) {
    stream.on('error', () => undefined); // the connection ended with the container
    stream.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, outputLimitBytes - bytes);
      if (part.length > 0) kept.push(part);
      bytes += part.length;
    });
  }
  return () => Buffer.concat(kept).toString('utf8').trim();
}
