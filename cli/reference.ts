import { globalOptions, type Command, type OptionSpecs } from './command.ts';
import { exitCodeMeanings } from './exit-code.ts';
import { daemons, optionRows, usageOf } from './help.ts';

const opening = `# The command line

<!-- Written by scripts/cli-docs.ts from the definitions in cli/commands/; run \`make docs\` after a change. -->

\`berth\` is one program: the client of a control plane, and the two daemons. Results go to standard output, the rest
(a next step, progress, warnings) to standard error. Colour and progress appear only on a terminal; \`NO_COLOR\` turns
colour off. \`--json\` prints a result as JSON, and an error as \`{"error": {"kind", "code", "message", …}}\`.

An error is \`berth: MESSAGE\`, then \`FILE:LINE:COLUMN: MESSAGE\` for each place of the input that is wrong, then
\`hint: WHAT TO DO\`.

A task is written as its id, as an unambiguous beginning of it, or as \`stack/service.slot\` (\`hello/web.1\`); the
stack may be left out where that is clear.
`;

const environment = `## Environment

${table(
  ['variable', 'meaning'],
  [
    ['`BERTH_URL`, `BERTH_TOKEN`', 'the control plane and the token; the token alone replaces that of the context'],
    ['`BERTH_CONFIG`', 'the file of contexts; by default `berth/config.json` in `$XDG_CONFIG_HOME` or `~/.config`'],
    ['`NO_COLOR`', 'no colour when it is set and not empty'],
    ['`NODE_EXTRA_CA_CERTS`', 'a file of certificates to trust, for a control plane with its own authority'],
  ],
)}
`;

/** docs/cli.md, from the definitions of the commands. */
export function cliReference(commands: readonly Command[]): string {
  return (
    [
      opening,
      section('## Options of every command', optionTable(globalOptions)),
      environment,
      section(
        '## Exit codes',
        table(
          ['code', 'meaning'],
          [...exitCodeMeanings].map(([code, text]) => [String(code), text]),
        ),
      ),
      '## Commands\n',
      ...commands.map(commandSection),
      '## Daemons\n',
      ...daemons.map(({ usage, summary }) => `${summary}.\n\n${fenced([`berth ${usage}`])}\n`),
    ]
      .join('\n')
      .trimEnd() + '\n'
  );
}

function commandSection(command: Command): string {
  const parts = [`${command.summary}.`, fenced([`berth ${usageOf(command)}`])];
  if (command.alias !== undefined) parts.push(`Also \`berth ${command.alias}\`.`);
  if (command.description !== undefined) parts.push(command.description.replaceAll('\n', ' '));
  const rows = Object.entries(command.args).map(([name, { summary }]): [string, string] => [`\`${name}\``, summary]);
  if (rows.length > 0) parts.push(table(['argument', 'meaning'], rows));
  if (Object.keys(command.options).length > 0) parts.push(optionTable(command.options));
  if (command.examples !== undefined) parts.push('For example:', fenced(command.examples));
  return section(`### ${command.name}`, parts.join('\n\n'));
}

function optionTable(options: OptionSpecs): string {
  const rows = optionRows(options).map(([left, right]): [string, string] => [`\`${left.trim()}\``, right]);
  return table(['option', 'meaning'], rows);
}

/** A table with its columns aligned in the source too, as the formatter of this repository wants it. */
function table(headings: readonly [string, string], rows: readonly (readonly [string, string])[]): string {
  const cells = [headings, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', String.raw`\|`)));
  const widths = headings.map((_heading, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [first = [], ...rest] = cells;
  return [line(first), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rest.map(line)].join('\n');
}

function fenced(lines: readonly string[]): string {
  return ['```sh', ...lines, '```'].join('\n');
}

function section(heading: string, body: string): string {
  return `${heading}\n\n${body}\n`;
}
