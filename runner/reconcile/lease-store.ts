import type { DatabaseSync } from 'node:sqlite';

/** How much later a lease must end before the disk hears of it, in milliseconds. */
const WRITE_STEP_MS = 10_000;

/**
 * Until when the control plane counts on this host. Every heartbeat moves it, so the disk has a moment up to
 * `WRITE_STEP_MS` earlier: after a restart without contact a `stop-after` task is stopped rather too early than too late.
 */
export class LeaseStore {
  readonly #database: DatabaseSync;
  #expiresAtMs: number | undefined;
  #storedMs: number | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const row = database.prepare("select value from meta where key = 'lease_expires_at_ms'").get();
    this.#storedMs = row === undefined ? undefined : Number(row['value']);
    this.#expiresAtMs = this.#storedMs;
  }

  get expiresAtMs(): number | undefined {
    return this.#expiresAtMs;
  }

  set(expiresAtMs: number | undefined): void {
    this.#expiresAtMs = expiresAtMs;
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
