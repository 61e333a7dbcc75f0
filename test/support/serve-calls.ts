import { createInterface } from 'node:readline';
import { errorText, isBerthError } from '#shared/errors.ts';

/** What such a program answers calls of: argument lists and results that JSON can hold. */
export type CallTable<Table> = { readonly [Name in keyof Table]: (...args: never[]) => Promise<unknown> };

/**
 * The program's side of `RemoteProgram`: says `ready`, then takes calls as JSON lines `{ n, method, args }` on standard
 * input, many at once, and answers each with `{ n, result }` or `{ n, code, message }`. Resolves when the input has ended
 * and all was answered.
 */
export async function serveCalls<Table extends CallTable<Table>>(methods: Table): Promise<void> {
  const answers = new Set<Promise<void>>();
  process.stdout.write('ready\n');
  for await (const line of createInterface({ input: process.stdin })) {
    const one = answer(methods, line).finally(() => answers.delete(one));
    answers.add(one);
  }
  await Promise.all(answers);
}

async function answer<Table extends CallTable<Table>>(methods: Table, line: string): Promise<void> {
  const { n, method, args } = JSON.parse(line) as { n: number; method: keyof Table; args: never[] };
  let reply: unknown;
  try {
    reply = { n, result: (await methods[method](...args)) ?? null };
  } catch (error) {
    reply = { n, code: isBerthError(error) ? error.code : 'internal', message: errorText(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
