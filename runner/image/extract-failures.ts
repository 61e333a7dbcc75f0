/** The codes with which our C programs refuse an archive (`fail` of unpack/report.h), whatever they unpack it into. */
export const extractFailures = [
  'not-tar',
  'corrupt',
  'escape',
  'bad-entry',
  'too-large',
  'name-too-long',
  'unsupported',
  'no-space',
  'io',
] as const;
