import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const folder = new URL('../migrations/', import.meta.url);

/**
 * The text of `migrations/index.ts`: the SQL files in order of their names, as a module, because an edge runtime has no
 * files to read.
 */
export function migrationsModule(): string {
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .toSorted();
  const entries = names.map((name) => {
    const sql = readFileSync(new URL(name, folder), 'utf8').replaceAll('\\', '\\\\').replaceAll('`', '\\`');
    return `  {\n    name: '${name.slice(0, -'.sql'.length)}',\n    sql: \`${sql.replaceAll('${', '\\${')}\`,\n  },\n`;
  });
  return (
    '/** The SQL files beside this one, made into a module by `node scripts/migrations.ts`: edit those, then run it. */\n' +
    `export const migrations: readonly { readonly name: string; readonly sql: string }[] = [\n${entries.join('')}];\n`
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(new URL('index.ts', folder), migrationsModule());
}
