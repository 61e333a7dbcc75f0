import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { randomSecret } from '#shared/id.ts';

export interface BootstrapSecret {
  readonly text: string;
  /** The file that holds it. */
  readonly path: string;
}

/**
 * The secret with which the first admin token is made: `BERTH_BOOTSTRAP_SECRET`, or what an earlier start wrote to
 * `bootstrap-secret` in the data directory, or a new one. The file is complete or not there, and readable by its owner only.
 */
export async function bootstrapSecret(dataDirectory: string): Promise<BootstrapSecret> {
  const path = join(dataDirectory, 'bootstrap-secret');
  const given = process.env['BERTH_BOOTSTRAP_SECRET'] || undefined; // set and empty is as if it were not set
  const stored = await readFile(path, 'utf8').catch(absent);
  const text = given ?? (stored.trim() === '' ? randomSecret('bbs_') : stored.trim());
  if (text !== stored.trim()) await replaceFile(path, `${text}\n`);
  return { text, path };
}

/** No file yet; one that cannot be read is not replaced. */
function absent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return '';
  throw error;
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
