import { readdir, readFile } from 'node:fs/promises';
import { waitUntil } from './stage/wait-until.ts';

/** What a process holds now. */
export interface Holdings {
  readonly descriptors: number;
  readonly memoryBytes: number;
}

export async function holdingsOf(pid: number): Promise<Holdings> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const memoryBytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  return { descriptors: (await readdir(`/proc/${pid}/fd`)).length, memoryBytes };
}

/** Resolves when a process has no more descriptors than before: connections end a moment after their clients have seen it. */
export function descriptorsAreBack(pid: number, before: number): Promise<unknown> {
  const isBack = async (): Promise<true> => {
    const { descriptors } = await holdingsOf(pid);
    if (descriptors <= before + 2) return true;
    throw new Error(`${descriptors} descriptors are open, ${before} were before`);
  };
  const options = { deadlineMs: 120_000, signal: AbortSignal.timeout(150_000) };
  return waitUntil('the descriptors to be closed', isBack, options);
}
