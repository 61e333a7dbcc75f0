import { BerthError } from '#shared/errors.ts';

/** Options of the `local` driver as they were given; null: none were. */
export type DriverOptions = Readonly<Record<string, string>> | null;

/** What mount(2) is to be called with for a volume. */
export interface VolumeMount {
  readonly type: string;
  readonly device: string;
  /** As mount(8) takes them after `-o`; may be empty. */
  readonly options: string;
}

/** Options that need others (moby volume/local, `mandatoryOpts`). */
const needs: Readonly<Record<string, readonly string[]>> = {
  device: ['type'],
  type: ['device'],
  o: ['device', 'type'],
};

/**
 * Checks the options of the `local` driver; undefined when nothing is to be mounted.
 *
 * @throws BerthError `volume.option-invalid` with Docker's text
 */
export function parseDriverOptions(name: string, options: DriverOptions): VolumeMount | undefined {
  const given = options ?? {};
  for (const option of Object.keys(given)) {
    if (!['type', 'o', 'device', 'size'].includes(option)) throw invalid(`invalid option: ${JSON.stringify(option)}`);
  }
  for (const [option, others] of Object.entries(needs)) {
    if (!Object.hasOwn(given, option)) continue;
    const missing = others.find((other) => !Object.hasOwn(given, other));
    if (missing !== undefined) throw invalid(`missing required option: ${JSON.stringify(missing)}`);
  }
  if (Object.hasOwn(given, 'size')) throw invalid('quota size requested but no quota support');
  if (!Object.hasOwn(given, 'device')) return undefined;
  return { type: given['type'] ?? '', device: given['device'] ?? '', options: given['o'] ?? '' };

  function invalid(why: string): BerthError {
    return new BerthError('invalid', 'volume.option-invalid', `create ${name}: ${why}`);
  }
}
