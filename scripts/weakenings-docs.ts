import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { weakeningPage } from '../test/soak/weakening-page.ts';

/** Writes docs/weakenings.md from the table of the campaign; a test tells when it is not current. */
await writeFile(join(import.meta.dirname, '..', 'docs', 'weakenings.md'), weakeningPage());
