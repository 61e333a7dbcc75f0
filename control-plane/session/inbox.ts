import { BerthError } from '#shared/errors.ts';
import { MAX_CONTROL_FRAME_BYTES } from '#shared/protocol/control.ts';

/** Most frames of one socket that may wait for the hub. */
const MAX_FRAMES = 256;
/** Most characters of one socket's frames that may wait for the hub. */
const MAX_CHARACTERS = 2 * MAX_CONTROL_FRAME_BYTES;

/** Counts what waits, by socket, so that no host can fill the hub's memory: WebSockets here have no backpressure. */
export class Inbox {
  readonly #waiting = new Map<string, { frames: number; characters: number }>();

  /**
   * Takes one frame in; the caller calls `done` with its length when it was handled.
   *
   * @throws BerthError `protocol.flood`
   */
  take(socketId: string, characters: number): void {
    const now = this.#waiting.get(socketId) ?? { frames: 0, characters: 0 };
    if (now.frames >= MAX_FRAMES || (now.frames > 0 && now.characters + characters > MAX_CHARACTERS)) {
      throw new BerthError(
        'too-large',
        'protocol.flood',
        `control channel: over ${MAX_FRAMES} frames or ${MAX_CHARACTERS} characters wait to be handled`,
        { remedy: 'Wait for the acknowledgement of a status batch before sending many more.' },
      );
    }
    this.#waiting.set(socketId, { frames: now.frames + 1, characters: now.characters + characters });
  }

  done(socketId: string, characters: number): void {
    const now = this.#waiting.get(socketId);
    if (now === undefined || now.frames <= 1) this.#waiting.delete(socketId);
    else this.#waiting.set(socketId, { frames: now.frames - 1, characters: now.characters - characters });
  }
}
