import { Transform } from 'node:stream';
import { BerthError } from '#shared/errors.ts';

/** ctrl-p, ctrl-q. */
const defaultKeys: readonly number[] = [0x10, 0x11];

/** Control characters by what follows `ctrl-`, from 0 on. */
const controls = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/**
 * The bytes of a key sequence as clients write it (`ctrl-p,ctrl-q`, `a,DEL`; moby/term ascii.go); empty: Docker's.
 *
 * @throws BerthError `docker.detach-keys` with dockerd's text
 */
export function detachKeys(text: string): readonly number[] {
  if (text === '') return defaultKeys;
  return text.split(',').map((key) => {
    const code = key === 'DEL' ? 127 : key.length === 1 ? key.charCodeAt(0) : controlCode(key);
    if (code !== undefined && code < 256) return code;
    const message = `Invalid escape keys (${text.slice(0, 80)}) provided`;
    throw new BerthError('invalid', 'docker.detach-keys', message);
  });
}

function controlCode(key: string): number | undefined {
  const code = /^ctrl-.$/.test(key) ? controls.indexOf(key.slice(5)) : -1;
  return code < 0 ? undefined : code;
}

/** Passes a client's input on, but for the key sequence; ends, and calls `detached`, when that was typed. */
export class DetachFilter extends Transform {
  readonly #keys: readonly number[];
  readonly #detached: () => void;
  /** So many keys of the sequence have come, and are held back. */
  #matched = 0;
  #over = false;

  constructor(keys: readonly number[], detached: () => void) {
    super();
    this.#keys = keys;
    this.#detached = detached;
  }

  override _transform(chunk: Buffer, _encoding: string, done: () => void): void {
    const passed: number[] = [];
    for (const byte of this.#over ? [] : chunk) {
      if (byte === this.#keys[this.#matched]) {
        this.#matched += 1;
        if (this.#matched < this.#keys.length) continue;
        this.#over = true;
        break;
      }
      passed.push(...this.#keys.slice(0, this.#matched));
      this.#matched = byte === this.#keys[0] ? 1 : 0;
      if (this.#matched === 0) passed.push(byte);
    }
    if (passed.length > 0) this.push(Buffer.from(passed));
    if (this.#over) {
      this.#over = true;
      this.#detached();
    }
    done();
  }

  override _flush(done: () => void): void {
    if (!this.#over) this.push(Buffer.from(this.#keys.slice(0, this.#matched)));
    done();
  }
}
