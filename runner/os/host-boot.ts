import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';

const key = 'boot-id';

/** What tells one boot of this machine from every other (random(4)). */
export function currentBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** True when the host was started anew since `rememberBoot`: no process of that time is left. */
export function hostWasRestarted(database: DatabaseSync, bootId: string): boolean {
  const row = database.prepare('select value from meta where key = ?').get(key);
  return row !== undefined && row['value'] !== bootId;
}

/** After all that a restart of the host means was recorded: a crash before it lets that be done again. */
export function rememberBoot(database: DatabaseSync, bootId: string): void {
  database.prepare('insert or replace into meta (key, value) values (?, ?)').run(key, bootId);
}
