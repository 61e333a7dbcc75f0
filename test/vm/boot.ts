import { resolve } from 'node:path';
import type { TestProject } from 'vitest/node';
import type { GuestReport } from './guest.ts';
import { runInMachine } from './machine.ts';

const root = resolve(import.meta.dirname, '../..');
const BOOTS = 2;
/** Some twenty times what it takes on a quiet host. */
const TIMEOUT_MS = 1_800_000;

declare module 'vitest' {
  interface ProvidedContext {
    /** What was seen in the virtual machine. */
    guest: GuestReport;
  }
}

/** Boots the virtual machine once for all test files of the lane. */
export async function setup(project: TestProject): Promise<void> {
  const report = await guestReport();
  const seconds = Object.entries(report.elapsedMs).map(([name, ms]) => `${name} ${Math.round(ms / 1000)}`);
  process.stderr.write(`vm: seconds in the virtual machine: ${seconds.join(', ')}\n`);
  project.provide('guest', report);
}

async function guestReport(): Promise<GuestReport> {
  const node = resolve(root, 'node_modules/.bin/node');
  const program = resolve(import.meta.dirname, 'guest.ts');
  const script = `cd ${root} && ${node} --disable-warning=ExperimentalWarning ${program}`;
  // Under emulation a program of the guest has been seen to die by SIGSEGV on a busy host: a second boot decides. What
  // fails for a reason of ours fails in both.
  const consoles: string[] = [];
  while (consoles.length < BOOTS) {
    await using run = await runInMachine(script, { timeoutMs: TIMEOUT_MS });
    const text = await run.read('report.json');
    if (text !== undefined) return JSON.parse(text) as GuestReport;
    consoles.push(run.console);
  }
  throw new Error(`the guest wrote no report; its consoles:\n${consoles.join('\n----\n')}`);
}
