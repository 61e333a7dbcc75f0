/** A route's path in pieces: `{name}` matches one segment, `{name:path}` one or more. */
interface Pattern<T> {
  readonly expression: RegExp;
  readonly names: readonly string[];
  readonly value: T;
}

export interface RouteMatch<T> {
  readonly value: T;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the routes of a table whose keys are `METHOD /path/{name}`. Routes that come first win. */
export function routeFinder<T>(table: Readonly<Record<string, T>>): (key: string) => RouteMatch<T> | undefined {
  const patterns = Object.entries(table).map(([key, value]) => compile(key, value));
  return (key) => {
    for (const { expression, names, value } of patterns) {
      const match = expression.exec(key);
      if (match === null) continue;
      const parameters = Object.fromEntries(names.map((name, index) => [name, decoded(match[index + 1] ?? '')]));
      return { value, parameters };
    }
    return undefined;
  };
}

function compile<T>(key: string, value: T): Pattern<T> {
  const names: string[] = [];
  const source = key.replaceAll(/[.*+?^$()|[\]\\]|\{(\w+)(:path)?\}/g, (text, name: string | undefined, path) => {
    if (name === undefined) return `\\${text}`;
    names.push(name);
    return path === undefined ? '([^/]+)' : '(.+)';
  });
  return { expression: new RegExp(`^${source}$`), names, value };
}

/** A path piece that is no valid encoding stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
