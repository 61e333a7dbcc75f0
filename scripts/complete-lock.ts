import { readFile, writeFile } from 'node:fs/promises';

/**
 * Completes package-lock.json after an `npm install`: npm writes no entry for an optional package of another platform
 * when the registry in use does not carry it, and `npm ci` then refuses the lock file everywhere. The entries written
 * here say which platform such a package is for, so that npm skips it where it does not belong. The supported platforms
 * are linux on x64 and arm64 with glibc; only their entries carry integrity.
 */
interface LockEntry {
  readonly version?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const operatingSystems = new Map([
  ['android', 'android'],
  ['darwin', 'darwin'],
  ['freebsd', 'freebsd'],
  ['linux', 'linux'],
  ['openharmony', 'openharmony'],
  ['win32', 'win32'],
  ['windows', 'win32'],
]);
const processors = new Map([
  ['64', 'x64'],
  ['x64', 'x64'],
  ['arm64', 'arm64'],
  ['arm', 'arm'],
  ['ia32', 'ia32'],
  ['ppc64', 'ppc64'],
  ['riscv64', 'riscv64'],
  ['s390x', 's390x'],
]);

function stub(name: string, version: string): LockEntry & Record<string, unknown> {
  const words = name.slice(name.lastIndexOf('/') + 1).split('-');
  const os = words.map((word) => operatingSystems.get(word)).find((one) => one !== undefined);
  const cpu = words.map((word) => processors.get(word)).find((one) => one !== undefined);
  if (os === undefined || cpu === undefined) {
    throw new Error(`package-lock.json: cannot tell the platform of ${name} from its name; add its entry by hand`);
  }
  const libc = words.some((word) => word.startsWith('musl')) ? { libc: ['musl'] } : {};
  return { version, cpu: [cpu], dev: true, ...libc, optional: true, os: [os] };
}

const lock = JSON.parse(await readFile('package-lock.json', 'utf8')) as { packages: Record<string, LockEntry> };
for (const [path, entry] of Object.entries(lock.packages)) {
  if (path === '') continue;
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const isThere = `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages;
    if (!isThere) lock.packages[`node_modules/${name}`] = stub(name, version);
  }
}
const [root, ...rest] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([
  ...(root === undefined ? [] : [root]),
  ...rest.toSorted(([a], [b]) => (a < b ? -1 : 1)),
]);
await writeFile('package-lock.json', `${JSON.stringify(lock, undefined, 2)}\n`);
