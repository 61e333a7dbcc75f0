import { parseDurationMs } from '#shared/duration.ts';
import { BerthError } from '#shared/errors.ts';

/** Parser of an option that is taken as it is. */
export function text(value: string): string {
  return value;
}

/** Parser of a whole number of `minimum` or more. @throws BerthError `cli.usage` */
export function wholeNumber(minimum: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < minimum) {
      throw new BerthError('invalid', 'cli.usage', `"${value}" is not a whole number of ${minimum} or more`);
    }
    return number;
  };
}

/** Parser of a time from now, in milliseconds: at least one, and at most `maximumMs`. @throws BerthError `cli.usage` */
export function lifetime(maximumMs: number): (value: string) => number {
  return (value) => {
    const ms = parseDurationMs(value);
    if (ms < 1) throw new BerthError('invalid', 'cli.usage', `"${value}" is too short; at least 1ms`);
    if (ms > maximumMs) {
      throw new BerthError('invalid', 'cli.usage', `"${value}" is too long; at most ${maximumMs / 3_600_000}h`);
    }
    return ms;
  };
}

/** Parser of one of a few words. @throws BerthError `cli.usage` */
export function oneOf<const Word extends string>(words: readonly Word[]): (value: string) => Word {
  return (value) => {
    const found = words.find((word) => word === value);
    if (found === undefined) {
      throw new BerthError('invalid', 'cli.usage', `"${value}" is not one of ${words.join(', ')}`);
    }
    return found;
  };
}

/** Parser of `KEY=VALUE`. @throws BerthError `cli.usage` */
export function keyValue(value: string): readonly [key: string, value: string] {
  const equals = value.indexOf('=');
  if (equals < 1) throw new BerthError('invalid', 'cli.usage', `"${value}" is not KEY=VALUE`);
  return [value.slice(0, equals), value.slice(equals + 1)];
}
