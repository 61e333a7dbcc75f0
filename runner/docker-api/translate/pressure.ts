type Document = Readonly<Record<string, unknown>>;

/**
 * One pressure file (kernel Documentation/accounting/psi.rst): for `some` and `full` tasks the share of time, in percent,
 * that they stood waiting over the last 10, 60 and 300 seconds, and in all, in microseconds. Undefined where there is none.
 */
export function pressureOf(text: string): Document | undefined {
  const kinds = text.split('\n').flatMap((line) => {
    const [kind = '', ...pairs] = line.trim().split(' ');
    if (pairs.length === 0) return [];
    const values = pairs.map((pair) => {
      const [name = '', value] = pair.split('=');
      return [name === 'total' ? 'total_usec' : name, Number(value)] as const;
    });
    return [[kind, Object.fromEntries(values)] as const];
  });
  return kinds.length === 0 ? undefined : Object.fromEntries(kinds);
}
