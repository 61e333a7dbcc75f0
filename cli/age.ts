const steps = [
  { limitMs: 60_000, unitMs: 1000, unit: 's' },
  { limitMs: 3_600_000, unitMs: 60_000, unit: 'm' },
  { limitMs: 48 * 3_600_000, unitMs: 3_600_000, unit: 'h' },
  { limitMs: Number.POSITIVE_INFINITY, unitMs: 24 * 3_600_000, unit: 'd' },
];

/** How long ago something was, for people: `5s`, `12m`, `30h`, `9d`. A moment in the future is `0s`. */
export function formatAge(atMs: number, nowMs: number): string {
  const ageMs = Math.max(0, nowMs - atMs);
  const step = steps.find(({ limitMs }) => ageMs < limitMs);
  return step === undefined ? '' : `${Math.floor(ageMs / step.unitMs)}${step.unit}`;
}

/** A moment for people, in UTC to the second: `2026-01-31 12:00:00Z`. */
export function formatMoment(atMs: number): string {
  return new Date(atMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}
