import { expect, test } from 'vitest';
import { temporaryDatabase } from '../dev/temporary-database.ts';
import type { Database } from '../ports.ts';
import { commit, openDb } from './commit.ts';
import { appendEvents, EVENT_LIFE_MS, listEvents, MAX_EVENTS } from './events.ts';
import { insertJoinToken, JOIN_TOKEN_RECORD_MS, joinTokenByHash } from './tokens.ts';

const event = { kind: 'test.done', subject: {}, message: '', cause: { kind: 'system', rule: 'test' } } as const;

const append = (database: Database, atMs: number, count: number) =>
  commit(database, (db) =>
    Promise.resolve({
      statements: appendEvents(
        db,
        atMs,
        Array.from({ length: count }, () => event),
      ),
      result: 0,
    }),
  );

const ids = async (database: Database) =>
  (await listEvents(openDb(database.read), { after: 0, limit: 1000 })).map((row) => row.id);

test('events over their age are forgotten with the next one', async () => {
  await using database = await temporaryDatabase();
  await append(database, 1000, 2);
  await append(database, 2000, 1);
  await append(database, 2000 + EVENT_LIFE_MS, 1);
  expect(await ids(database)).toEqual([3, 4]);
  await append(database, 5000 + 2 * EVENT_LIFE_MS, 1);
  expect(await ids(database)).toEqual([5]);
});

test('events over the greatest number are forgotten, the oldest first, and no id is given twice', async () => {
  await using database = await temporaryDatabase();
  await append(database, 1, 3);
  await database.write((client) =>
    client.execute(`UPDATE sqlite_sequence SET seq = ${MAX_EVENTS} WHERE name = 'events'`),
  );
  await append(database, 1, 1);
  expect(await ids(database)).toEqual([2, 3, MAX_EVENTS + 1]);
  await append(database, 1, 1);
  expect(await ids(database)).toEqual([3, MAX_EVENTS + 1, MAX_EVENTS + 2]);
});

test('join tokens are forgotten long after they expired', async () => {
  await using database = await temporaryDatabase();
  const add = (id: string, createdAtMs: number) =>
    commit(database, (db) => {
      const row = { id, hash: id, createdAtMs, expiresAtMs: createdAtMs + 1, usedAtMs: null };
      return Promise.resolve({ statements: insertJoinToken(db, row), result: 0 });
    });
  const db = openDb(database.read);
  await add('a', 0);
  await add('b', JOIN_TOKEN_RECORD_MS);
  expect(await joinTokenByHash(db, 'a')).toBeDefined();
  await add('c', JOIN_TOKEN_RECORD_MS + 2);
  expect(await joinTokenByHash(db, 'a')).toBeUndefined();
  expect(await joinTokenByHash(db, 'b')).toBeDefined();
});
