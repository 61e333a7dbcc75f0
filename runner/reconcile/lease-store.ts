import { uptime } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';

/** How much later a lease must end before the disk hears of it, in milliseconds. */
const WRITE_STEP_MS = 10_000;

/**
 * Until when the control plane counts on this host. Every heartbeat moves it, so the disk has a moment up to
 * `WRITE_STEP_MS` earlier: after a restart without contact a `stop-after` task is stopped rather too early than too late.
 * For the same reason a clock that is set back does not make it longer: it also ends when so much time has passed since
 * the boot, the time that the host slept included.
 */
export class LeaseStore {
  readonly #database: DatabaseSync;
  readonly #clock: () => number;
  readonly #uptimeMs: () => number;
  #expiresAtMs: number | undefined;
  /** When it ends, by the time since the boot; undefined while it is what the disk says. */
  #endsAtUptimeMs: number | undefined;
  #storedMs: number | undefined;

  /** `clock` gives Unix milliseconds, `uptimeMs` milliseconds since the boot. */
  constructor(database: DatabaseSync, clock: () => number = Date.now, uptimeMs: () => number = () => uptime() * 1000) {
    this.#database = database;
    this.#clock = clock;
    this.#uptimeMs = uptimeMs;
    const row = database.prepare("select value from meta where key = 'lease_expires_at_ms'").get();
    this.#storedMs = row === undefined ? undefined : Number(row['value']);
    this.#expiresAtMs = this.#storedMs;
  }

  get expiresAtMs(): number | undefined {
    if (this.#expiresAtMs === undefined || this.#endsAtUptimeMs === undefined) return this.#expiresAtMs;
    return Math.min(this.#expiresAtMs, this.#clock() + this.#endsAtUptimeMs - this.#uptimeMs());
  }

  set(expiresAtMs: number | undefined): void {
    this.#expiresAtMs = expiresAtMs;
    this.#endsAtUptimeMs = expiresAtMs === undefined ? undefined : this.#uptimeMs() + expiresAtMs - this.#clock();
    const stored = this.#storedMs;
    const near = expiresAtMs !== undefined && stored !== undefined && expiresAtMs >= stored;
    if (expiresAtMs === stored || (near && expiresAtMs < stored + WRITE_STEP_MS)) return;
    if (expiresAtMs === undefined) this.#database.exec("delete from meta where key = 'lease_expires_at_ms'");
    else {
      this.#database
        .prepare("insert or replace into meta (key, value) values ('lease_expires_at_ms', ?)")
        .run(String(expiresAtMs));
    }
    this.#storedMs = expiresAtMs;
  }
}
