import { getSystemErrorMap } from 'node:util';
import { BerthError } from '#shared/errors.ts';
import { runtimeError } from './runtime-error.ts';
import { CATEGORY, type WireReport } from './wire.ts';

const errnoTexts = new Map([...getSystemErrorMap()].map(([number, [name, text]]) => [-number, `${name}: ${text}`]));

/** `EPERM: operation not permitted` of an errno. */
export function errnoText(errno: number): string {
  return errnoTexts.get(errno) ?? `errno ${errno}`;
}

/** What the launcher reported, for people: (operation, object, errno). */
function reportText(report: WireReport): string {
  return `${report.operation} ${report.object}: ${errnoText(report.errno)}`;
}

/**
 * The error of a failed launch or exec.
 *
 * @param command its first argument
 */
export function launchError(operation: string, report: WireReport, command = ''): BerthError {
  if (report.category === CATEGORY.runtime) return runtimeError(operation, report, command);
  const text = `${operation}: ${reportText(report)}`;
  switch (report.category) {
    case CATEGORY.notFound:
      return new BerthError('invalid', 'launch.command-not-found', text, {
        remedy: `Check that "${report.object}" is in the image and, without a slash, in its PATH.`,
      });
    case CATEGORY.notExecutable:
      return new BerthError('invalid', 'launch.command-not-executable', text, {
        remedy: `Check that "${report.object}" is a program for this machine with execute permission.`,
      });
    case CATEGORY.user:
      return new BerthError('invalid', 'launch.user-unknown', text, {
        remedy: 'Name a user or group that the image knows, or give it as a number.',
      });
    case CATEGORY.unsupported:
      return new BerthError('unsupported', 'launch.unsupported', text, {
        remedy: 'This kernel, or the file system that is named, cannot do it: leave the option out.',
      });
    default:
      return new BerthError('internal', 'launch.failed', text);
  }
}
