import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { BerthError, errorText } from '#shared/errors.ts';

const context = z.object({ url: z.url(), token: z.string() });
export type Context = z.infer<typeof context>;

const configFile = z.object({ current: z.string().optional(), contexts: z.record(z.string(), context) });
type ConfigFile = z.infer<typeof configFile>;

/** Where contexts are kept: $BERTH_CONFIG, else `berth/config.json` in $XDG_CONFIG_HOME or ~/.config. */
export function configPath(environment: Readonly<Record<string, string | undefined>>): string {
  const { BERTH_CONFIG: explicit, XDG_CONFIG_HOME: base } = environment;
  if (explicit !== undefined && explicit !== '') return explicit;
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.config'), 'berth', 'config.json');
}

/**
 * The named control planes that this user has logged in to, with their tokens, in one file of mode 0600. Each change is
 * one rename: a reader sees the file before or after it, never in between.
 */
export class ContextStore {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** @throws BerthError `context.file-invalid` */
  async list(): Promise<readonly { readonly name: string; readonly url: string; readonly current: boolean }[]> {
    const { current, contexts } = await this.#read();
    return Object.entries(contexts)
      .map(([name, { url }]) => ({ name, url, current: name === current }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The context of this name, or the current one; undefined when none is current. @throws BerthError `context.unknown` */
  async find(name: string | undefined): Promise<Context | undefined> {
    const file = await this.#read();
    const wanted = name ?? file.current;
    if (wanted === undefined) return undefined;
    return contextIn(file, wanted);
  }

  /** Stores a context and makes it the current one. */
  async save(name: string, value: Context): Promise<void> {
    const file = await this.#read();
    await this.#write({ current: name, contexts: { ...file.contexts, [name]: value } });
  }

  /** @throws BerthError `context.unknown` */
  async use(name: string): Promise<void> {
    const file = await this.#read();
    contextIn(file, name);
    await this.#write({ ...file, current: name });
  }

  /** @throws BerthError `context.unknown` */
  async remove(name: string): Promise<void> {
    const file = await this.#read();
    contextIn(file, name);
    const { [name]: _removed, ...contexts } = file.contexts;
    const { current } = file;
    await this.#write({ contexts, ...(current === undefined || current === name ? {} : { current }) });
  }

  async #read(): Promise<ConfigFile> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { contexts: {} };
      throw new BerthError('invalid', 'context.file-unreadable', `reading ${this.path}: ${errorText(error)}`, {
        cause: error,
      });
    }
    try {
      return configFile.parse(JSON.parse(text));
    } catch (cause) {
      throw new BerthError('invalid', 'context.file-invalid', `${this.path} is not a berth configuration`, {
        cause,
        remedy: 'Repair the file, or remove it and log in again with `berth login`.',
      });
    }
  }

  async #write(value: ConfigFile): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.${randomUUID()}`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(`${JSON.stringify(value, undefined, 2)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}

function contextIn(file: ConfigFile, name: string): Context {
  const found = Object.hasOwn(file.contexts, name) ? file.contexts[name] : undefined;
  if (found === undefined) throw unknownContext(name, file);
  return found;
}

function unknownContext(name: string, file: ConfigFile): BerthError {
  const names = Object.keys(file.contexts);
  return new BerthError('not-found', 'context.unknown', `there is no context "${name}"`, {
    remedy: names.length === 0 ? 'Log in first: berth login URL' : `Known contexts: ${names.join(', ')}.`,
  });
}
