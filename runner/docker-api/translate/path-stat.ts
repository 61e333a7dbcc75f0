import type { PathStat } from '../../archive/container-files.ts';

const typeMask = 0o170000;

/** st_mode's types, and what Go's os.FileMode has in their place. */
const typeBits: Readonly<Record<number, number>> = {
  0o040000: 2 ** 31, // directory
  0o120000: 2 ** 27, // symbolic link
  0o060000: 2 ** 26, // block device
  0o020000: 2 ** 26 + 2 ** 21, // character device
  0o010000: 2 ** 25, // FIFO
  0o140000: 2 ** 24, // socket
};

const specialBits = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
] as const;

/** st_mode as Go's os.FileMode. */
export function goFileMode(mode: number): number {
  const special = specialBits.reduce((sum, [bit, go]) => sum + ((mode & bit) === 0 ? 0 : go), 0);
  return (mode & 0o777) + special + (typeBits[mode & typeMask] ?? 0);
}

/** The header `X-Docker-Container-Path-Stat`. */
export function pathStatHeader(stat: PathStat): string {
  const document = {
    name: stat.name,
    size: stat.sizeBytes,
    mode: goFileMode(stat.mode),
    // As Go writes it: no zeros at the end of the fraction.
    mtime: new Date(stat.modifiedAtMs).toISOString().replace(/\.?0*Z$/, 'Z'),
    linkTarget: stat.linkTarget,
  };
  return Buffer.from(JSON.stringify(document)).toString('base64');
}
