import { setTimeout as delay } from 'node:timers/promises';
import { MAX_TIMER_MS } from '#shared/duration.ts';
import { errorText } from '#shared/errors.ts';
import type { Healthcheck } from '#shared/model/service.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';
import { initialHealth, nextHealth, probePauseMs, type Health } from './health-state.ts';

/** What one probe told. Times are Unix milliseconds. */
export interface HealthProbe {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** -1 when there is none: it took too long, or could not be run. */
  readonly exitCode: number;
  /** The first of its output, or why there is none. */
  readonly output: string;
}

export interface HealthMonitorOptions {
  readonly check: Healthcheck;
  /** The container's own environment, user and working directory are used. */
  readonly exec: (request: ExecRequest) => Promise<ExecSession>;
  /** When the container started, by `clock`. */
  readonly startedAtMs: number;
  readonly clock: () => number;
  /** Absent: that of a container that has just started. */
  readonly initial?: Health;
  /** Called after each probe; `changed` when it changed the status. */
  readonly onProbe: (probe: HealthProbe, health: Health, changed: boolean) => void;
}

const outputLimitBytes = 4096;
const noExitCode = -1;

/**
 * Probes one running container for as long as it runs: a pause, a probe, and so on, never two at once.
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
    this.#health = options.initial ?? initialHealth;
    void this.#run();
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
  }

  async #run(): Promise<void> {
    const { check } = this.#options;
    const { signal } = this.#ended;
    for (;;) {
      const pauseMs = probePauseMs(this.#health, performance.now() - this.#startedAt, check);
      await delay(Math.min(pauseMs, MAX_TIMER_MS), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const sinceStartMs = performance.now() - this.#startedAt;
      const probe = await this.#probe();
      // A probe that was cut off by the container's end tells nothing. (`aborted` has changed over the await.)
      if (this.#ended.signal.aborted) return;
      const before = this.#health.status;
      this.#health = nextHealth(this.#health, { passed: probe.exitCode === 0, sinceStartMs }, check);
      this.#options.onProbe(probe, this.#health, this.#health.status !== before);
    }
  }

  async #probe(): Promise<HealthProbe> {
    const { check, exec, clock } = this.#options;
    const startedAtMs = clock();
    const ended = await (async () => {
      const request = { args: check.command, env: [], cwd: '', user: '', terminal: false, stdin: false };
      await using session = await exec(request);
      return await runProbe(session, check.timeoutMs);
    })().catch((error: unknown) => ({ exitCode: noExitCode, output: errorText(error) }));
    return { startedAtMs, endedAtMs: clock(), ...ended };
  }
}

async function runProbe(session: ExecSession, timeoutMs: number): Promise<{ exitCode: number; output: string }> {
  const output = firstOutput(session);
  const timer = new AbortController();
  const late = delay(Math.min(timeoutMs, MAX_TIMER_MS), 'late' as const, { signal: timer.signal }).catch(
    () => 'late' as const,
  );
  const ended = await Promise.race([session.exit, late]);
  timer.abort();
  if (ended === 'late') {
    await session.kill();
    await session.exit.catch(() => undefined);
    await output.ended;
    const said = output.text();
    const text = `Health check exceeded timeout (${durationText(timeoutMs)})`;
    return { exitCode: noExitCode, output: said === '' ? text : `${text}: ${said}` };
  }
  await output.ended;
  return { exitCode: ended, output: output.text() };
}

/** As Go writes a duration. */
function durationText(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const [minutes, seconds] = [Math.floor(ms / 60_000), (ms % 60_000) / 1000];
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (hours > 0) return `${hours}h${rest}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** Reads all of the output, so that the probe never stalls, and keeps the first 4 KiB. */
function firstOutput(session: ExecSession): { readonly text: () => string; readonly ended: Promise<unknown> } {
  const kept: Buffer[] = [];
  let bytes = 0;
  // What was written last is delivered after the exit code is known.
  const ended = [session.stdout, session.stderr].map(
    (stream) => new Promise<void>((resolve) => void stream.once('end', resolve).once('close', resolve)),
  );
  for (const stream of [session.stdout, session.stderr]) {
    stream.on('error', () => undefined); // the connection ended with the container
    stream.on('data', (chunk: Buffer) => {
      const part = chunk.subarray(0, outputLimitBytes - bytes);
      if (part.length > 0) kept.push(part);
      bytes += part.length;
    });
  }
  return { text: () => Buffer.concat(kept).toString('utf8'), ended: Promise.all(ended) };
}
