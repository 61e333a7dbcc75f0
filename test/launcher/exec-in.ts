import { text } from 'node:stream/consumers';
import type { ExecRequest, Shim } from '../../runner/launcher/launcher.ts';

/** An exec of a shell script. */
export function shell(script: string, change: Partial<ExecRequest> = {}): ExecRequest {
  const plain = { env: ['PATH=/bin'], cwd: '/', user: '', terminal: false, stdin: false };
  return { args: ['sh', '-c', script], ...plain, ...change };
}

/** Runs a shell script in a container to its end. */
export async function execIn(shim: Shim, script: string, change: Partial<ExecRequest> = {}) {
  await using session = await shim.exec(shell(script, change));
  const [exitCode, stdout, stderr] = await Promise.all([session.exit, text(session.stdout), text(session.stderr)]);
  return { exitCode, stdout, stderr };
}
