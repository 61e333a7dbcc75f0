import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHranaServer } from '../dev/hrana-server.ts';
import { openRemote } from './remote.ts';
import { is } from 'drizzle-orm';
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { expect, test } from 'vitest';
import { migrations } from '#migrations/index.ts';
import { migrationsModule } from '../../scripts/migrations.ts';
import { readFileSync } from 'node:fs';
import { temporaryDatabase } from '../dev/temporary-database.ts';
import { migrate } from './migrate.ts';
import * as schema from './schema.ts';

const tables = Object.values(schema)
  .filter((value) => is(value, SQLiteTable))
  .map((table) => getTableConfig(table));

test('the migrations make the tables, columns and indexes that the schema has', async () => {
  await using database = await temporaryDatabase();
  const master = await database.read.execute(
    "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND name <> 'schema_migrations' ORDER BY name",
  );
  const made = (type: string) => master.rows.filter((row) => row['type'] === type).map((row) => row['name']);
  expect(made('table')).toEqual(tables.map((table) => table.name).toSorted());
  expect(made('index')).toEqual(tables.flatMap((table) => table.indexes.map((index) => index.config.name)).toSorted());
  for (const table of tables) {
    const columns = await database.read.execute(`SELECT * FROM pragma_table_info('${table.name}') ORDER BY cid`);
    const keys = new Set([
      ...table.columns.filter((column) => column.primary).map((column) => column.name),
      ...table.primaryKeys.flatMap((key) => key.columns.map((column) => column.name)),
    ]);
    expect(columns.rows.map((row) => [row['name'], row['type'], row['notnull'] === 1, Number(row['pk']) > 0])).toEqual(
      table.columns.map((column) => [
        column.name,
        column.getSQLType().toUpperCase(),
        column.notNull,
        keys.has(column.name),
      ]),
    );
    for (const index of table.indexes) {
      const parts = await database.read.execute(`SELECT name FROM pragma_index_info('${index.config.name}')`);
      expect(parts.rows.map((row) => row['name'])).toEqual(
        index.config.columns.map((column) => ('name' in column ? column.name : '')),
      );
      const unique = await database.read.execute(
        `SELECT "unique" FROM pragma_index_list('${table.name}') WHERE name = '${index.config.name}'`,
      );
      expect(unique.rows[0]?.['unique'] === 1).toBe(index.config.unique);
    }
  }
});

test('the migrations module is made of the SQL files as they are', () => {
  expect(readFileSync(new URL('../../migrations/index.ts', import.meta.url), 'utf8')).toBe(migrationsModule());
  expect(migrations.length).toBeGreaterThan(0);
});

test('migrating twice changes nothing, and a newer database is refused', async () => {
  await using database = await temporaryDatabase();
  await migrate(database);
  await database.write((client) => client.execute("INSERT INTO schema_migrations VALUES ('9999_future')"));
  await expect(migrate(database)).rejects.toMatchObject({
    code: 'store.newer',
    message: 'the database has had migration 9999_future, unknown here',
  });
});

test('several processes that migrate one database at the same time do it once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-migrate-'));
  try {
    await using server = await startHranaServer({ path: join(directory, 'cluster.db'), token: 't', port: 0 });
    const open = () => openRemote({ url: server.url, authToken: 't' });
    await Promise.all(Array.from({ length: 6 }, () => migrate(open())));
    const { rows } = await open().read.execute('SELECT count(*) AS n FROM cluster');
    expect(rows[0]?.['n']).toBe(1);
  } finally {
    await rm(directory, { recursive: true });
  }
});
