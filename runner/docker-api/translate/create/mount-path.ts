/**
 * The shortest name of a path, as Go's path.Clean: no empty part, no `.`, `..` only at the beginning of what is not
 * absolute, no slash at the end but for `/` itself; `.` for nothing.
 */
export function cleanedPath(path: string): string {
  const absolute = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!absolute) parts.push('..');
  }
  const text = parts.join('/');
  if (absolute) return `/${text}`;
  return text === '' ? '.' : text;
}
