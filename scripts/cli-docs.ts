import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commands } from '../cli/commands.ts';
import { cliReference } from '../cli/reference.ts';

/** Writes docs/cli.md from the definitions of the commands; a test tells when it is not current. */
await writeFile(join(import.meta.dirname, '..', 'docs', 'cli.md'), cliReference(commands));
