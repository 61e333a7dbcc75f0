import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { access, mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { BerthError, errorText } from '#shared/errors.ts';
import type { SeccompProfile } from '#shared/oci/runtime-spec.ts';
import { startedProcess } from '../os/started-process.ts';
import { encodeSeccompTable } from './seccomp-table.ts';

/** Part of each file's name; raised when the compiler's output changes for the same table. */
const COMPILER_VERSION = 1;
/** BPF_MAXINSNS instructions of 8 bytes. */
const MAX_PROGRAM_BYTES = 4096 * 8;
/** Profiles whose path is remembered, beyond which all are looked up on disk again. */
const MAX_KNOWN = 256;

async function compile(binary: string, table: Buffer): Promise<Buffer> {
  const child = startedProcess(spawn(binary, ['seccomp'], { stdio: ['pipe', 'pipe', 'pipe'] }));
  const chunks: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk));
  child.stdin.on('error', () => {}); // it ended early: its exit code and text say why
  child.stdin.end(table);
  const [code] = await once(child, 'close');
  const program = Buffer.concat(chunks);
  if (code === 0 && program.byteLength > 0 && program.byteLength <= MAX_PROGRAM_BYTES) return program;
  const why =
    code === 0 ? `its ${program.byteLength} bytes are no program` : Buffer.concat(complaints).toString().trim();
  throw new BerthError('invalid', 'seccomp.invalid', `compile seccomp profile: ${why}`, {
    remedy: 'Check the rules of the profile; a program has at most 4096 instructions.',
  });
}

/** Compiled seccomp programs, one file a profile, named by the digest of its table; never removed, they are small. */
export class SeccompCache {
  readonly #binary: string;
  readonly #directory: string;
  readonly #known = new Map<string, Promise<string>>();

  constructor(binary: string, directory: string) {
    this.#binary = binary;
    this.#directory = directory;
  }

  /**
   * Path of the program of a profile, compiled if it is not there yet.
   *
   * @throws BerthError `seccomp.invalid`
   */
  program(profile: SeccompProfile): Promise<string> {
    const key = JSON.stringify(profile, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    const path = this.#find(profile);
    this.#known.set(key, path);
    path.catch(() => this.#known.delete(key));
    return path;
  }

  async #find(profile: SeccompProfile): Promise<string> {
    const table = encodeSeccompTable(profile);
    const digest = createHash('sha256').update(table).digest('hex');
    const path = join(this.#directory, `seccomp-${process.arch}-${COMPILER_VERSION}-${digest}.bpf`);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const program = await compile(this.#binary, table);
    const temporary = `${path}.${randomUUID()}.new`;
    try {
      await using file = await open(temporary, 'wx', 0o600);
      await file.writeFile(program);
      await file.sync();
    } catch (error) {
      throw new BerthError('internal', 'seccomp.cache', `write ${temporary}: ${errorText(error)}`, { cause: error });
    }
    await rename(temporary, path);
    return path;
  }
}
