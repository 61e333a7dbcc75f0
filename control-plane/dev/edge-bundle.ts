import { fileURLToPath } from 'node:url';
import { readFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { BerthError } from '#shared/errors.ts';

/** The Worker as one module, bundled the way `wrangler deploy` does it, and what `wrangler.toml` says about running it. */
export interface EdgeBundle {
  readonly script: string;
  readonly compatibilityDate: string;
}

/** Bundles `control-plane/worker.ts`. */
export async function bundleWorker(): Promise<EdgeBundle> {
  const entry = fileURLToPath(new URL('../worker.ts', import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'browser',
    conditions: ['workerd', 'worker', 'browser'],
    loader: { '.sql': 'text' },
    external: ['cloudflare:*', 'node:*'],
    sourcemap: 'inline',
    logLevel: 'error',
  });
  const script = outputFiles[0]?.text;
  if (script === undefined) throw new BerthError('internal', 'edge.no-bundle', `bundling ${entry} gave nothing`);
  return { script, compatibilityDate: await compatibilityDate() };
}

async function compatibilityDate(): Promise<string> {
  const path = fileURLToPath(new URL('../../wrangler.toml', import.meta.url));
  const date = /^compatibility_date = "(\d{4}-\d\d-\d\d)"$/m.exec(await readFile(path, 'utf8'))?.[1];
  if (date !== undefined) return date;
  throw new BerthError('invalid', 'edge.no-date', `${path} sets no compatibility_date`);
}
