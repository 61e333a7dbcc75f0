import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '@libsql/client/web';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHranaServer, type HranaServer } from './hrana-server.ts';

let directory: string;
let server: HranaServer;
let client: Client;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-hrana-'));
  server = await startHranaServer({ path: join(directory, 'test.db'), token: 'right', port: 0 });
  client = createClient({ url: server.url, authToken: 'right' });
  await client.executeMultiple(
    'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, b BLOB, f REAL); CREATE INDEX i ON t (v);',
  );
});
afterAll(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

test('a wrong token is refused', async () => {
  const stranger = createClient({ url: server.url, authToken: 'wrong' });
  await expect(stranger.execute('SELECT 1')).rejects.toThrow(/bearer token is missing or wrong/);
});

test('every type of value comes back as it went', async () => {
  const args = [7, 'text ü', new Uint8Array([0, 255, 3]), 1.5];
  const inserted = await client.execute({ sql: 'INSERT INTO t VALUES (?, ?, ?, ?)', args });
  expect(inserted.rowsAffected).toBe(1);
  const { rows, columns } = await client.execute({ sql: 'SELECT * FROM t WHERE id = :id', args: { id: 7 } });
  expect(columns).toEqual(['id', 'v', 'b', 'f']);
  expect(rows[0]?.['v']).toBe('text ü');
  expect(new Uint8Array(rows[0]?.['b'] as ArrayBuffer)).toEqual(new Uint8Array([0, 255, 3]));
  expect(rows[0]?.['f']).toBe(1.5);
});

test('RETURNING answers rows and counts them', async () => {
  const result = await client.execute("INSERT INTO t (v) VALUES ('a'), ('b') RETURNING v");
  expect(result.rows.map((row) => row['v'])).toEqual(['a', 'b']);
  expect(result.rowsAffected).toBe(2);
});

test('a batch is all or nothing', async () => {
  await expect(
    client.batch([`INSERT INTO t (id, v) VALUES (100, 'x')`, `INSERT INTO t (id, v) VALUES (7, 'taken')`], 'write'),
  ).rejects.toThrow(/UNIQUE/);
  const { rows } = await client.execute('SELECT count(*) AS n FROM t WHERE id = 100');
  expect(rows[0]?.['n']).toBe(0);
});

test('transactions of several clients wait for each other and lose nothing', async () => {
  await client.execute(`INSERT INTO t (id, f) VALUES (500, 0)`);
  const add = async (): Promise<void> => {
    const transaction = await client.transaction('write');
    const { rows } = await transaction.execute('SELECT f FROM t WHERE id = 500');
    await transaction.execute({ sql: 'UPDATE t SET f = ? WHERE id = 500', args: [Number(rows[0]?.['f']) + 1] });
    await transaction.commit();
  };
  await Promise.all(Array.from({ length: 20 }, add));
  const { rows } = await client.execute('SELECT f FROM t WHERE id = 500');
  expect(rows[0]?.['f']).toBe(20);
});

test('a closed transaction is rolled back', async () => {
  const transaction = await client.transaction('write');
  await transaction.execute(`INSERT INTO t (id) VALUES (900)`);
  transaction.close();
  const { rows } = await client.execute('SELECT count(*) AS n FROM t WHERE id = 900');
  expect(rows[0]?.['n']).toBe(0);
});
