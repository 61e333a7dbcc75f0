import { BerthError, isBerthError } from '#shared/errors.ts';
import { imageLoadProgress, imageLoadTrailer } from '#shared/relay/header.ts';
import { readLines } from '#shared/relay/lines.ts';
import type { RelayStream } from '#shared/relay/stream.ts';
import { formatBytes } from '#shared/size.ts';
import type { z } from 'zod';
import { openArchive, type ArchiveSource } from '../archive-source.ts';
import type { Client } from '../client.ts';
import { defineCommand, type Session } from '../command.ts';
import { formatError } from '../error-text.ts';
import { exitCodeOf } from '../exit-code.ts';
import { text } from '../option-values.ts';
import { dialRelay } from '../relay.ts';
import { familiarImage, shortImageId } from '../image-name.ts';

type Loaded = z.infer<typeof imageLoadTrailer>['images'];

export const imageLoad = defineCommand({
  name: 'image load',
  summary: 'Load an image archive into hosts, through the control plane',
  description:
    'The archive is one of `docker save`, an OCI layout in a tar, or a tar of a root file system; plain or gzip. Without\n' +
    '--host it goes to every ready host, all at once.',
  args: { ARCHIVE: { arity: 'optional', summary: 'The archive, as --input' } },
  options: {
    input: { kind: 'value', short: 'i', metavar: 'FILE', summary: 'The archive (default, and -: stdin)', parse: text },
    host: { kind: 'list', metavar: 'HOST', summary: 'Only into this host', parse: text },
  },
  examples: ['berth image load hello.tar', 'docker save hello:1 | berth image load --host alpha'],
  async handler({ args, options, session }) {
    const client = await session.connect();
    const hosts = await chooseHosts(client, options.host);
    await using archive = await openArchive(options.input ?? args.ARCHIVE, hosts.length, session);
    const progress = new LoadProgress(session, archive.sizeBytes);
    const results = await Promise.allSettled(
      hosts.map((host) => loadInto(session, client, host, archive, progress.of(host))),
    );
    const outcomes = results.map((result, index) => ({ host: hosts[index] ?? '', result }));
    if (options.json) await session.terminal.json({ hosts: outcomes.map(forPrograms) });
    else await report(session, outcomes);
    const failed = results.find((result) => result.status === 'rejected');
    return failed === undefined ? 0 : exitCodeOf(failed.reason);
  },
});

/** The hosts to load into. @throws BerthError `host.unknown`, `host.none-ready` */
async function chooseHosts(client: Client, wanted: readonly string[]): Promise<readonly string[]> {
  const { hosts } = await client.hosts();
  const known = new Set(hosts.map((host) => host.name));
  const unknown = wanted.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new BerthError('not-found', 'host.unknown', `there is no host "${unknown}"`, {
      remedy: 'See `berth host ls`.',
    });
  }
  if (wanted.length > 0) return [...new Set(wanted)];
  const ready = hosts.filter((host) => host.state === 'ready').map((host) => host.name);
  if (ready.length > 0) return ready;
  throw new BerthError('unavailable', 'host.none-ready', 'image load: no host is ready', {
    remedy: hosts.length === 0 ? 'Let one join: berth host token' : 'See `berth host ls`; start the runners.',
  });
}

async function loadInto(
  { signal }: Session,
  client: Client,
  host: string,
  archive: ArchiveSource,
  onSent: (bytes: number) => void,
): Promise<Loaded> {
  await using relay = await dialRelay(client, { type: 'image-load', host }, () => {}, signal);
  const stream = relay.open({ type: 'image-load' });
  const progress = drainProgress(stream);
  progress.catch(() => {}); // the host's reason comes by `finished` as well
  const sent = send(stream, archive, onSent);
  // Whichever fails first tells: the host refuses a bad archive while it is still being sent.
  const [trailer] = await Promise.all([stream.finished, sent]);
  return imageLoadTrailer.parse(trailer).images;
}

async function send(stream: RelayStream, archive: ArchiveSource, onSent: (bytes: number) => void): Promise<void> {
  for await (const chunk of archive.read()) {
    await stream.write(chunk);
    onSent(chunk.byteLength);
  }
  await stream.end();
}

/** What the host says of its work is read so that it does not stall; the bytes sent are progress enough. */
async function drainProgress(stream: RelayStream): Promise<void> {
  for await (const line of readLines(stream.readable, imageLoadProgress)) void line;
}

/** One progress line for all hosts together. */
class LoadProgress {
  readonly #session: Session;
  readonly #totalBytes: number | undefined;
  readonly #sent = new Map<string, number>();

  constructor(session: Session, totalBytes: number | undefined) {
    this.#session = session;
    this.#totalBytes = totalBytes;
  }

  of(host: string): (bytes: number) => void {
    this.#sent.set(host, 0);
    return (bytes) => {
      this.#sent.set(host, (this.#sent.get(host) ?? 0) + bytes);
      this.#session.terminal.progress(
        [...this.#sent].map(([name, sent]) => `${name} ${this.#amount(sent)}`).join('  '),
      );
    };
  }

  #amount(sent: number): string {
    if (this.#totalBytes === undefined || this.#totalBytes === 0) return formatBytes(sent);
    return `${Math.floor((100 * sent) / this.#totalBytes)}%`;
  }
}

interface Outcome {
  readonly host: string;
  readonly result: PromiseSettledResult<Loaded>;
}

function forPrograms({ host, result }: Outcome): object {
  if (result.status === 'fulfilled') return { host, images: result.value };
  const { reason } = result;
  return { host, error: { code: isBerthError(reason) ? reason.code : 'internal', message: String(reason.message) } };
}

async function report({ terminal, signal }: Session, outcomes: readonly Outcome[]): Promise<void> {
  signal.throwIfAborted();
  for (const { host, result } of outcomes) {
    if (result.status === 'rejected') {
      await terminal.note(formatError(result.reason).trimEnd().replace('berth: ', `berth: ${host}: `));
      continue;
    }
    for (const image of result.value) {
      const names = image.references.map(familiarImage).join(', ') || '<none>';
      await terminal.write(`${host}: loaded ${names} (${shortImageId(image.id)})\n`);
    }
  }
  if (outcomes.every(({ result }) => result.status === 'fulfilled')) {
    await terminal.note('Next: berth apply -f compose.yaml');
  }
}
