import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { parseDocument } from 'yaml';
import { BerthError, errorText } from '#shared/errors.ts';
import { MAX_COMPOSE_CHARACTERS } from '#shared/api/stacks.ts';
import { objectName } from '#shared/model/names.ts';
import type { Session } from './command.ts';

export interface ComposeFile {
  readonly stack: string;
  /** True when the stack's name was asked for, which wins over the one in the file. */
  readonly isNamed: boolean;
  readonly text: string;
  /** The file as the user named it, for messages. */
  readonly shownPath: string;
}

/** The names that are looked for, in order (compose-spec, "The Compose application model"). */
const defaultNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

/**
 * Reads a Compose file and finds the name of its stack. What is in it is the control plane's to judge.
 *
 * @throws BerthError `compose.file-missing`, `compose.file-unreadable`, `compose.file-too-large`, `stack.name-unknown`, `stack.name-invalid`
 */
export async function readComposeFile(
  file: string | undefined,
  stack: string | undefined,
  session: Session,
): Promise<ComposeFile> {
  const isInput = file === '-';
  const { text, shownPath } = isInput
    ? { text: await readText(session.terminal.input), shownPath: '<stdin>' }
    : await readFirst(file === undefined ? defaultNames : [file], session.workingDirectory);
  const directory = basename(dirname(resolve(session.workingDirectory, isInput ? 'x' : shownPath)));
  if (text.length > MAX_COMPOSE_CHARACTERS) {
    const what = `${shownPath} has ${text.length} characters, over the limit of ${MAX_COMPOSE_CHARACTERS}`;
    throw new BerthError('too-large', 'compose.file-too-large', what);
  }
  const name = stackName(stack, text, isInput ? '' : directory);
  return { stack: name, isNamed: stack !== undefined, text, shownPath };
}

async function readFirst(
  names: readonly string[],
  directory: string,
): Promise<{ readonly text: string; readonly shownPath: string }> {
  for (const name of names) {
    try {
      return { text: await readFile(resolve(directory, name), 'utf8'), shownPath: name };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new BerthError('invalid', 'compose.file-unreadable', `reading ${name}: ${errorText(error)}`, {
        cause: error,
      });
    }
  }
  throw new BerthError('not-found', 'compose.file-missing', `there is no file ${names.join(', ')}`, {
    remedy: 'Name the Compose file: berth apply -f FILE',
  });
}

/** The stack's name: as given, else the file's `name`, else from the directory; pure. */
export function stackName(given: string | undefined, text: string, directory: string): string {
  const name = given ?? nameInFile(text) ?? normalisedName(directory);
  if (name === '') {
    throw new BerthError('invalid', 'stack.name-unknown', 'the stack has no name', {
      remedy: 'Give one with --stack NAME, or as `name:` in the Compose file.',
    });
  }
  const parsed = objectName.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new BerthError('invalid', 'stack.name-invalid', `"${name}" cannot name a stack`, {
    remedy: `A name ${parsed.error.issues[0]?.message ?? 'is a DNS label'}.`,
  });
}

/** Lenient: a file that is not YAML has no name here, and the control plane says what is wrong with it, and where. */
function nameInFile(text: string): string | undefined {
  try {
    // The parser's look for repeated keys is quadratic.
    const name: unknown = parseDocument(text, { logLevel: 'silent', uniqueKeys: false }).get('name');
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined; // nested too deeply for this parser
  }
}

/** A directory's name as a DNS label: lower case, with "-" for what a label may not hold; empty when nothing is left. */
export function normalisedName(directory: string): string {
  return directory
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-+|-+$/g, '');
}
