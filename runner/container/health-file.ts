import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { isErrno } from '../os/files.ts';
import type { HealthReport } from './engine.ts';

const probe = z.object({ startedAtMs: z.int(), endedAtMs: z.int(), exitCode: z.int(), output: z.string() });
const healthReport: z.ZodType<HealthReport> = z.object({ failures: z.int().min(0), last: z.array(probe) });

/**
 * What the health checks of a container told before this runner began; undefined when there is nothing.
 *
 * @param startedAtMs when its last run began: failures of the run before do not count for it
 */
export function readHealthReport(path: string, startedAtMs = 0): HealthReport | undefined {
  try {
    const { failures, last } = healthReport.parse(JSON.parse(readFileSync(path, 'utf8')));
    return { failures: (last.at(-1)?.endedAtMs ?? 0) < startedAtMs ? 0 : failures, last };
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/**
 * Keeps it for the next runner. Not synced, as there may be many a second: it outlasts the runner, and of a host that is
 * restarted no container is left to check.
 */
export function writeHealthReport(path: string, report: HealthReport): void {
  writeFileSync(`${path}.tmp`, JSON.stringify(report), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}
