/**
 * `ask-names.ts SERVER QUESTIONS`: asks the questions, a JSON array, of port 53 of a server, one after the other, and
 * prints the answers as one. `ask-names.ts SERVER measure NAME TIMES` prints how long a question takes, in microseconds.
 * `ask-names.ts SERVER garbage TIMES SEED` sends damaged messages by both transports and waits for no answer.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { decode, encode, type DecodedPacket, type RecordType } from 'dns-packet';
import { Random } from '../support/random.ts';

export interface Question {
  readonly name: string;
  readonly type?: RecordType;
  readonly transport?: 'udp' | 'tcp';
  /** EDNS with this size. */
  readonly datagramBytes?: number;
  readonly waitMs?: number;
}

export type Reply =
  | { readonly code: number; readonly data: readonly string[]; readonly truncated: boolean; readonly bytes: number }
  | 'none';

const [, , server = '', second = '', third = '', fourth = ''] = process.argv;
const defaultWaitMs = 30_000;

function bytesOf({ name, type = 'A', datagramBytes }: Question, id: number): Buffer {
  const options = { type: 'OPT', name: '.', extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false } as const;
  const additionals = datagramBytes === undefined ? [] : [{ ...options, udpPayloadSize: datagramBytes, options: [] }];
  return encode({ type: 'query', id, flags: 0x100, questions: [{ name, type }], additionals });
}

function byDatagram(query: Buffer, waitMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (answer?: Buffer): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(end, waitMs);
    socket.once('message', (bytes) => end(bytes));
    socket.send(query, 53, server);
  });
}

function byStream(query: Buffer, waitMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const socket = connect({ host: server, port: 53, timeout: waitMs });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
    socket.on('timeout', () => socket.destroy());
    socket.on('error', () => {});
    socket.on('close', () => resolve(undefined));
    socket.on('data', (piece) => {
      pieces.push(piece);
      const all = Buffer.concat(pieces);
      if (all.length < 2 || all.length < 2 + all.readUInt16BE(0)) return;
      resolve(all.subarray(2));
      socket.destroy();
    });
  });
}

function textOf(record: NonNullable<DecodedPacket['answers']>[number]): string {
  const data = 'data' in record ? record.data : '';
  if (Array.isArray(data)) return data.map((piece) => piece.toString()).join('');
  return typeof data === 'string' ? data : JSON.stringify(data);
}

async function ask(question: Question, id: number): Promise<Reply> {
  const query = bytesOf(question, id);
  const waitMs = question.waitMs ?? defaultWaitMs;
  const answer = await (question.transport === 'tcp' ? byStream(query, waitMs) : byDatagram(query, waitMs));
  if (answer === undefined) return 'none';
  const { answers = [], flag_tc: truncated } = decode(answer);
  if (answer.readUInt16BE(0) !== id) throw new Error('another id');
  return { code: answer.readUInt16BE(2) & 0xf, data: answers.map(textOf), truncated, bytes: answer.length };
}

/** Median over one socket, one question at a time. */
async function measure(name: string, times: number): Promise<number> {
  const socket = createSocket('udp4');
  const took: number[] = [];
  const query = bytesOf({ name }, 5);
  for (let time = 0; time < times; time += 1) {
    const start = performance.now();
    socket.send(query, 53, server);
    await once(socket, 'message');
    took.push((performance.now() - start) * 1000);
  }
  socket.close();
  return Math.round(took.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? 0);
}

async function garbage(times: number, seed: number): Promise<void> {
  const random = new Random(seed);
  const socket = createSocket('udp4');
  for (let time = 0; time < times; time += 1) {
    const bytes = bytesOf({ name: random.pick(['web', 'a.b.c', 'x'.repeat(60)]) }, time % 65_536);
    for (let change = random.below(12); change > 0; change -= 1) bytes[random.below(bytes.length)] = random.below(256);
    const cut = bytes.subarray(0, 1 + random.below(bytes.length));
    await new Promise((resolve) => socket.send(cut, 53, server, resolve));
    if (time % 50 !== 0) continue;
    const stream = connect({ host: server, port: 53, timeout: 500 });
    stream.on('error', () => {});
    stream.on('timeout', () => stream.destroy());
    stream.resume();
    stream.end(Buffer.concat([Buffer.from([0, random.below(256)]), cut, bytes]));
    await once(stream, 'close');
  }
  socket.close();
}

if (second === 'measure') process.stdout.write(`${await measure(third, Number(fourth))}`);
else if (second === 'garbage') await garbage(Number(third), Number(fourth));
else {
  const replies: Reply[] = [];
  for (const [at, question] of (JSON.parse(second) as Question[]).entries())
    replies.push(await ask(question, at + 100));
  process.stdout.write(JSON.stringify(replies));
}
