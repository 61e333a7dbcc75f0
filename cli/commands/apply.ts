import { BerthError, isBerthError } from '#shared/errors.ts';
import type { ApplyResponse } from '#shared/api/stacks.ts';
import type { Client } from '../client.ts';
import { defineCommand, type Session } from '../command.ts';
import { readComposeFile, type ComposeFile } from '../compose-file.ts';
import { DEFAULT_WAIT_MS, waitOptions, waitUntilRunning } from '../convergence.ts';
import { text, wholeNumber } from '../option-values.ts';

export const apply = defineCommand({
  name: 'apply',
  summary: 'Make a stack be what a Compose file says',
  description:
    'The name of the stack is --stack, else the `name` in the file, else the name of the directory of the file. The\n' +
    'supported part of Compose is in docs/compose.md; anything beyond it is an error at its line, and nothing changes.',
  options: {
    file: {
      kind: 'value',
      short: 'f',
      metavar: 'FILE',
      summary: 'The Compose file, or - for standard input (default: compose.yaml and its other names)',
      parse: text,
    },
    stack: { kind: 'value', short: 'p', metavar: 'NAME', summary: 'Name of the stack', parse: text },
    message: { kind: 'value', metavar: 'TEXT', summary: 'Why, kept with the revision', parse: text },
    'expect-revision': {
      kind: 'value',
      metavar: 'N',
      summary: 'Refuse unless N is the current revision (0: no such stack)',
      parse: wholeNumber(0),
    },
    ...waitOptions,
  },
  examples: ['berth apply -f compose.yaml --wait', 'berth apply -f - --stack hello < compose.yaml'],
  async handler({ options, session }) {
    const file = await readComposeFile(options.file, options.stack, session);
    const client = await session.connect();
    const applied = await send(client, file, options.message, options['expect-revision']);
    if (!options.json) await report(session, applied);
    if (options.wait) await waitUntilRunning(session, client, file.stack, options.timeout ?? DEFAULT_WAIT_MS);
    if (options.json) return session.terminal.json(applied);
    await session.terminal.note(
      options.wait ? `All of ${file.stack} runs. Next: berth ps ${file.stack}` : `Next: berth ps ${file.stack}`,
    );
  },
});

async function send(
  client: Client,
  file: ComposeFile,
  message: string | undefined,
  expectedRevision: number | undefined,
): Promise<ApplyResponse> {
  try {
    return await client.apply(file.stack, {
      compose: file.text,
      ...(file.isNamed ? { overrideName: true } : {}),
      ...(message === undefined ? {} : { message }),
      ...(expectedRevision === undefined ? {} : { expectedRevision }),
    });
  } catch (error) {
    throw isBerthError(error) ? inFile(error, file.shownPath) : error;
  }
}

/** The control plane knows the text, not the file: its places get the name that the user gave. */
function inFile(error: BerthError, shownPath: string): BerthError {
  const count = error.locations.length;
  if (count === 0) return error;
  const message = `${shownPath} is not applied: ${count === 1 ? '1 mistake' : `${count} mistakes`}`;
  return new BerthError(error.kind, error.code, message, {
    cause: error,
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    locations: error.locations.map((place) => ({ ...place, path: shownPath })),
  });
}

const changeColours = {
  created: 'green',
  updated: 'yellow',
  scaled: 'yellow',
  removed: 'red',
  unchanged: 'dim',
} as const;

async function report({ terminal }: Session, applied: ApplyResponse): Promise<void> {
  const state = applied.changed ? 'applied' : 'unchanged';
  await terminal.write(`stack ${applied.stack}: revision ${applied.revision} ${state}\n`);
  for (const { service, change } of applied.services) {
    await terminal.write(`  ${service}: ${terminal.paint(changeColours[change], change)}\n`);
  }
}
