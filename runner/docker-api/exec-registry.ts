import { randomBytes } from 'node:crypto';
import { BerthError } from '#shared/errors.ts';
import type { Engine } from '../container/engine.ts';
import type { ExecRequest, ExecSession } from '../launcher/launcher.ts';

/** A command that was prepared for a container, and what became of it. */
export interface Exec {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecRequest;
  readonly attach: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly detachKeys: string;
  started: boolean;
  session: ExecSession | undefined;
  pid: number;
  exitCode: number | undefined;
}

/** So many are remembered of one host; the oldest that do not run are forgotten. */
const MAX_REMEMBERED = 2048;

/** The execs of the Docker API, in memory as dockerd has them: a container's go with it. */
export class ExecRegistry implements Disposable {
  readonly #execs = new Map<string, Exec>();
  readonly #changes: Disposable;

  constructor(engine: Engine) {
    this.#changes = engine.onChange((id, record) => {
      if (record === undefined) this.#forget(id);
    });
  }

  add(exec: Omit<Exec, 'id' | 'started' | 'session' | 'pid' | 'exitCode'>): Exec {
    this.#makeRoom();
    const id = randomBytes(32).toString('hex');
    const added: Exec = { ...exec, id, started: false, session: undefined, pid: 0, exitCode: undefined };
    this.#execs.set(id, added);
    return added;
  }

  /** @throws BerthError `docker.no-exec` */
  require(id: string): Exec {
    const exec = this.#execs.get(id);
    if (exec !== undefined) return exec;
    throw new BerthError('not-found', 'docker.no-exec', `No such exec instance: ${id.slice(0, 80)}`);
  }

  /** Those of a container that have not ended, or not begun yet. */
  running(containerId: string): readonly string[] {
    return [...this.#execs.values()]
      .filter((exec) => exec.containerId === containerId && exec.exitCode === undefined)
      .map((exec) => exec.id);
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
  }

  #forget(containerId: string): void {
    for (const exec of this.#execs.values()) if (exec.containerId === containerId) this.#execs.delete(exec.id);
  }

  #makeRoom(): void {
    if (this.#execs.size < MAX_REMEMBERED) return;
    for (const exec of this.#execs.values()) {
      if (exec.session !== undefined) continue;
      this.#execs.delete(exec.id);
      if (this.#execs.size < MAX_REMEMBERED) return;
    }
    throw new BerthError('conflict', 'docker.too-many-execs', `There are ${MAX_REMEMBERED} execs under way`);
  }
}
