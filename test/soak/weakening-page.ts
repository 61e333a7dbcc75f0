import { weakenings } from './weakenings.ts';

/** The text of docs/weakenings.md. */
export function weakeningPage(): string {
  const rows = weakenings.map(({ rule, name, without, changes, test }) => [
    rule,
    `\`${name}\``,
    without,
    [...new Set(changes.map(({ file }) => `\`${file}\``))].join(', '),
    `\`${test.file}\`: ${test.name}`,
  ]);
  return [
    '# Weakened builds',
    '',
    '<!-- Written by `make docs` from test/soak/weakenings; do not edit. -->',
    '',
    'Each of these defences is taken out by a campaign, which demands that the test then fails (see [security](security.md)).',
    `There are ${weakenings.length}. A line begins like its rule in the table there.`,
    '',
    ...table([['rule', 'name', 'in the weakened build', 'where', 'test that goes red'], ...rows]),
    '',
  ].join('\n');
}

/** As the formatter leaves it. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill: string): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |`;
  const [head = [], ...body] = rows.map((row) => line(row, ' '));
  const rule = line(
    widths.map(() => ''),
    '-',
  );
  return [String(head), rule, ...body];
}
