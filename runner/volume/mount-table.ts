/** One line of proc_pid_mountinfo(5). */
export interface MountEntry {
  readonly mountPoint: string;
  /** `shared:N`, `master:N`, `propagate_from:N`, `unbindable`. */
  readonly propagation: readonly string[];
}

/** Parses /proc/PID/mountinfo, in the order of mounting. */
export function parseMountTable(text: string): readonly MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const [, , , , mountPoint] = fields;
    const end = fields.indexOf('-');
    if (mountPoint === undefined || end < 0) return [];
    return [{ mountPoint: unescaped(mountPoint), propagation: fields.slice(6, end) }];
  });
}

/** The mount that a path without symbolic links lies on: the last of those whose mount point is longest. */
export function mountOf(table: readonly MountEntry[], path: string): MountEntry | undefined {
  let found: MountEntry | undefined;
  for (const entry of table) {
    if (!isBeneath(path, entry.mountPoint)) continue;
    if (found === undefined || entry.mountPoint.length >= found.mountPoint.length) found = entry;
  }
  return found;
}

/** True for the directory itself and all in it. */
export function isBeneath(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}

/** Space, tab, newline and backslash are written as octal numbers. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
