/**
 * A table for people: a heading line in capitals and left-aligned columns two spaces apart, with no trailing blanks.
 * Control characters (a message may come from a container) are shown as `?` so that they cannot drive the terminal.
 */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headings.map((heading) => heading.toUpperCase()), ...rows.map((row) => row.map(printable))];
  const widths = headings.map((_heading, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Text from elsewhere with its control characters replaced, line ends by a blank. */
export function printable(value: string): string {
  return value.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '?');
}
