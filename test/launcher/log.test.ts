import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive, Laboratory, readLog, until } from './fixture.ts';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory[Symbol.asyncDispose]());

/** The numbers of the rotated files, the oldest first. */
function rotatedIn(directory: string): number[] {
  const names = readdirSync(directory).filter((name) => name.startsWith('container.log.'));
  return names.map((name) => Number(name.slice('container.log.'.length))).toSorted((a, b) => a - b);
}

test('what is no JSON text by itself is escaped, what is no UTF-8 replaced', async () => {
  const { entries } = await laboratory.run(
    String.raw`printf 'a"b\\c\td\001\177é😀\n\377x\355\240\200\n\303' ; printf end >&2`,
  );
  expect(entries.filter(({ stream }) => stream === 'stdout').map(({ log }) => log)).toEqual([
    'a"b\\c\td\u0001\u007fé😀\n',
    '\ufffdx\ufffd\ufffd\ufffd\n',
    '\ufffd',
  ]);
  expect(entries.filter(({ stream }) => stream === 'stderr').map(({ log }) => log)).toEqual(['end']);
});

test('a long line becomes entries of 16 KiB without a line end, between characters', async () => {
  const { entries } = await laboratory.run(`awk 'BEGIN { for (i = 0; i < 20000; i++) printf "aé"; print "" }'`);
  const sizes = entries.map(({ log }) => Buffer.byteLength(log));
  expect(sizes.slice(0, -1).every((size) => size === 16_384 || size === 16_383)).toBe(true);
  expect(entries.map(({ log }) => log).join('')).toBe(`${'aé'.repeat(20_000)}\n`);
  expect(entries.slice(0, -1).some(({ log }) => log.endsWith('\n'))).toBe(false);
});

test('rotation by size keeps so many files', async () => {
  const { request } = await laboratory.run('i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done', {
    request: { log: { maxBytes: 50_000, maxFiles: 3 } },
  });
  const rotated = rotatedIn(request.stateDirectory);
  expect(rotated).toEqual([(rotated[1] ?? 0) - 1, rotated[1]]);
  expect(rotated[0]).toBeGreaterThan(1); // others have been deleted
  const files = [...rotated.map((number) => `container.log.${number}`), 'container.log'];
  for (const file of files) expect(statSync(`${request.stateDirectory}/${file}`).size).toBeLessThan(50_500);
  const text = files.map((file) => readLog(request.stateDirectory, file).stdout);
  expect(text.join('').endsWith('line 2998\nline 2999\n')).toBe(true);
  const numbers = text
    .join('')
    .trim()
    .split('\n')
    .map((line) => Number(line.slice(5)));
  expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index));
});

test('a later run goes on with the numbers, and takes away what is too much of either form', async () => {
  const directory = mkdtempSync('/tmp/berth-log-');
  using stack = new DisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true }));
  for (const name of ['4', '5.gz', '6', '6.gz', '7.gz', '08', '9.x'])
    writeFileSync(`${directory}/container.log.${name}`, '');
  const script = 'i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done';
  await laboratory.run(script, { request: { stateDirectory: directory, log: { maxBytes: 6000, maxFiles: 4 } } });
  expect(
    readdirSync(directory)
      .filter((name) => name.startsWith('container.log'))
      .toSorted(),
  ).toEqual([
    'container.log',
    'container.log.08',
    'container.log.6',
    'container.log.6.gz',
    'container.log.7.gz',
    'container.log.8',
    'container.log.9.x',
  ]);
});

test('a full disk costs log lines, but neither the lines after it nor the exit code', async () => {
  const disk = mkdtempSync('/tmp/berth-full-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'berth-test', disk]);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => {
    execFileSync('umount', ['-l', disk]);
    rmdirSync(disk);
  });
  // Its spawner begins after the mount: it sees only what is mounted then, where mounts do not propagate.
  const own = stack.use(await Laboratory.open());
  const request = await own.request(
    // A long line and the one after it in one write, so that the shim has the end of the first and the second at once.
    'awk "BEGIN { while (i++ < 40000) printf \\"\\001\\"; print }" > /tmp/lost; echo lost >> /tmp/lost; ' +
      'i=0; while [ $i -lt 300 ]; do echo before $i; i=$((i+1)); done; ' +
      'read go; dd if=/tmp/lost bs=64k 2> /dev/null; read go; echo after; read go; exit 6',
    { request: { stdin: true, stateDirectory: disk, log: { maxBytes: 500_000, maxFiles: 4 } } },
  );
  const { stateDirectory } = request;
  const log = () => readFileSync(`${stateDirectory}/container.log`, 'utf8');
  await using shim = await own.launcher.launch(request);
  await using session = await shim.attach();
  await until(() => log().includes('before 299'));
  const ballast = `${stateDirectory}/ballast`;
  execFileSync('sh', ['-c', 'cat /dev/zero > "$1" 2>/dev/null; truncate -s -40960 "$1"', 'fill', ballast]);
  session.stdin.write('go\n');
  let seen = '';
  session.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  await until(() => seen.endsWith('lost\n'));
  rmSync(ballast);
  writeFileSync(ballast, Buffer.alloc(0));
  session.stdin.write('go\n');
  await until(() => log().includes('after'));
  execFileSync('sh', ['-c', 'cat /dev/zero > "$1" 2>/dev/null; true', 'fill', ballast]);
  session.stdin.write('go\n');
  await shim.exit;
  await until(() => !readdirSync(stateDirectory).includes('shim.sock'));
  const lines = readLog(stateDirectory).entries.map((entry) => entry.log); // every line is JSON
  expect(lines.slice(0, 300)).toEqual(Array.from({ length: 300 }, (_, n) => `before ${n}\n`));
  expect(lines.at(-1)).toBe('after\n');
  expect(JSON.parse(readFileSync(`${stateDirectory}/exit.json`, 'utf8'))).toMatchObject({ exitCode: 6 });
});

test('all output of a container that ends at once is in the log', async () => {
  const { stdout } = await laboratory.run('seq 1 20000');
  expect(stdout).toBe(`${Array.from({ length: 20_000 }, (_, index) => index + 1).join('\n')}\n`);
});

test('the container waits for an attached client that does not read, until it is stopped', async () => {
  const request = await laboratory.request('read go; seq 1 400000; exit 2', { request: { stdin: true } });
  await using shim = await laboratory.launcher.launch(request);
  await using stalled = await shim.attach();
  stalled.stdin.write('go\n');
  // Neither its log nor its end comes on while nobody reads.
  const log = () => statSync(`${request.stateDirectory}/container.log`).size;
  let [size, since] = [0, performance.now()];
  await until(() => {
    if (log() !== size) [size, since] = [log(), performance.now()];
    return size > 100_000 && performance.now() - since > 1000;
  });
  expect(isAlive(shim.pid)).toBe(true);
  await shim.stop(15, 60_000); // which a shell passes over
  expect((await shim.exit).exitCode).toBe(2);
  expect(readLog(request.stateDirectory).stdout.endsWith('399999\n400000\n')).toBe(true);
  await until(() => !readdirSync(request.stateDirectory).includes('shim.sock'));
});

test('what a slow client has not read when the container ends is kept for it, and holds up nobody', async () => {
  const request = await laboratory.request('read go; seq 1 30000', { request: { stdin: true } });
  await using shim = await laboratory.launcher.launch(request);
  await using slow = await shim.attach();
  slow.stdin.write('go\n');
  expect((await shim.exit).exitCode).toBe(0);
  await until(() => !readdirSync(request.stateDirectory).includes('shim.sock'));
  await slow.exit; // the shim has told all that it had to tell, and nothing was read yet
  let bytes = 0;
  for await (const chunk of slow.stdout) bytes += (chunk as Buffer).byteLength;
  expect(bytes).toBe(Array.from({ length: 30_000 }, (_, n) => String(n + 1).length + 1).reduce((a, b) => a + b));
});

test('an attached client that reads gets every byte and then the exit code', async () => {
  const request = await laboratory.request('read go; seq 1 300000; exit 2', { request: { stdin: true } });
  await using shim = await laboratory.launcher.launch(request);
  await using session = await shim.attach();
  session.stdin.end('go\n');
  let bytes = 0;
  for await (const chunk of session.stdout) bytes += (chunk as Buffer).byteLength;
  expect(bytes).toBe(
    Array.from({ length: 300_000 }, (_, index) => String(index + 1).length + 1).reduce((a, b) => a + b),
  );
  expect(await session.exit).toBe(2);
});
