import { BerthError } from '#shared/errors.ts';
import type { WireReport } from './wire.ts';

/**
 * The failure of an OCI runtime's program. The report's object is the last line of its log (`{"level":…,"msg":…}`), which
 * may be cut off, or its path when it logged nothing.
 *
 * @param command what it was to run, which decides whether that is to blame
 */
export function runtimeError(operation: string, report: WireReport, command: string): BerthError {
  const message = messageOf(report.object);
  const text = `${operation}: ${report.operation}: ${message}`;
  const blamed = command !== '' && message.includes(command);
  if (
    /executable file [^\n]*not found in \$PATH/.test(message) ||
    (blamed && /no such file or directory/i.test(message))
  ) {
    return new BerthError('invalid', 'launch.command-not-found', text, {
      remedy: `Check that "${command}" is in the image and, without a slash, in its PATH.`,
    });
  }
  if (
    /open executable: |exec format error|is a directory/i.test(message) ||
    (blamed && /permission denied/i.test(message))
  ) {
    return new BerthError('invalid', 'launch.command-not-executable', text, {
      remedy: `Check that "${command}" is a program for this machine with execute permission.`,
    });
  }
  return new BerthError('internal', 'launch.failed', text);
}

function messageOf(line: string): string {
  const quoted = /"msg":\s*"((?:[^"\\]|\\.)*)/.exec(line)?.[1];
  if (quoted === undefined) return line.startsWith('/') ? `${line} failed and logged nothing` : line;
  return quoted.replaceAll(/\\(u[0-9a-fA-F]{4}|.)/g, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return code === 'n' || code === 't' ? ' ' : code;
  });
}
