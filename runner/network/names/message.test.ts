import { decode, encode, type OptAnswer, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { answered, failure, isAnswerTo, passedOn, readMessage, type Query } from './message.ts';

function queryBytes(name: string, type: 'A' | 'AAAA' | 'PTR' = 'A', rest: Packet = {}): Buffer {
  return encode({ type: 'query', id: 7, flags: 0x0100, questions: [{ name, type }], ...rest });
}

function read(bytes: Buffer): Query {
  const received = readMessage(bytes);
  if (received.kind !== 'query') throw new Error(received.kind);
  return received.query;
}

const options: OptAnswer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1400,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

test('a question is read in lower case and answered as it was asked', () => {
  const query = read(queryBytes('WeB.shop'));
  expect(query).toMatchObject({ id: 7, name: 'web.shop', type: 'A', isInternet: true, datagramBytes: 512 });
  const answer = decode(answered(query, [{ type: 'A', name: 'WeB.shop', ttl: 5, data: '10.0.0.2' }], 512));
  expect(answer).toMatchObject({ id: 7, type: 'response', flag_rd: true, flag_ra: true, flag_tc: false });
  expect(answer.questions).toMatchObject([{ name: 'WeB.shop', type: 'A' }]);
  expect(answer.answers).toMatchObject([{ name: 'WeB.shop', data: '10.0.0.2' }]);
});

test('who speaks EDNS is answered in it, within the size that it takes', () => {
  const query = read(queryBytes('web', 'A', { additionals: [options] }));
  expect(query.datagramBytes).toBe(1400);
  expect(decode(answered(query, [], 1400)).additionals).toMatchObject([{ type: 'OPT' }]);
});

test('records that do not fit are left out and the answer says so', () => {
  const records = Array.from({ length: 100 }, (_, n) => ({ type: 'A' as const, name: 'web', data: `10.0.0.${n}` }));
  const bytes = answered(read(queryBytes('web')), records, 512);
  const answer = decode(bytes);
  expect(bytes.length).toBeLessThanOrEqual(512);
  expect(answer.flag_tc).toBe(true);
  expect(answer.answers?.length).toBeGreaterThan(20);
  expect(decode(answered(read(queryBytes('web')), records, 65_535)).answers).toHaveLength(100);
});

test.each([
  ['an answer', encode({ type: 'response', id: 1, questions: [{ name: 'a', type: 'A' }] })],
  ['less than a header', Buffer.alloc(11)],
])('%s is ignored', (_, bytes) => {
  expect(readMessage(bytes)).toEqual({ kind: 'ignored' });
});

test.each([
  ['no question', encode({ id: 1 }), 1],
  [
    'two questions',
    queryBytes('a', 'A', {
      questions: [
        { name: 'a', type: 'A' },
        { name: 'b', type: 'A' },
      ],
    }),
    1,
  ],
  ['a name without end', queryBytes('web').subarray(0, 15), 1],
  [
    'a name that points to itself',
    Buffer.concat([queryBytes('').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
    1,
  ],
  ['an update', encode({ type: 'query', flags: 5 << 11, questions: [{ name: 'a', type: 'A' }] }), 4],
])('%s is answered with a code', (_, bytes, code) => {
  const received = readMessage(bytes);
  if (received.kind !== 'refused') throw new Error(received.kind);
  expect(received.answer.readUInt16BE(2) & 0x800f).toBe(0x8000 | code);
  expect(received.answer.length).toBeLessThanOrEqual(bytes.length);
});

test('an answer belongs to its question by id, question and direction', () => {
  const query = queryBytes('example.org');
  const right = encode({ type: 'response', id: 99, questions: [{ name: 'EXAMPLE.org', type: 'A' }] });
  expect(isAnswerTo(query, 99, right)).toBe(true);
  expect(isAnswerTo(query, 98, right)).toBe(false);
  expect(isAnswerTo(query, 7, query)).toBe(false);
  const other = encode({ type: 'response', id: 99, questions: [{ name: 'example.net', type: 'A' }] });
  expect(isAnswerTo(query, 99, other)).toBe(false);
  expect(isAnswerTo(query, 99, encode({ type: 'response', id: 99, flags: 5 }))).toBe(true); // a bare refusal
  expect(isAnswerTo(query, 99, encode({ type: 'response', id: 99 }))).toBe(false);
});

test('an answer is passed on under the asker’s id, and cut when it is too long', () => {
  const query = queryBytes('example.org');
  const long = Buffer.concat([
    encode({ type: 'response', id: 99, questions: [{ name: 'example.org', type: 'A' }] }),
    Buffer.alloc(600),
  ]);
  expect(decode(passedOn(query, long, 2000).subarray(0, 29)).id).toBe(7);
  expect(decode(passedOn(query, long, 512))).toMatchObject({ id: 7, flag_tc: true, answers: [] });
});

/** How much longer than the message what is sent back at once is, in bytes; 0 where nothing is. */
function excess(message: Buffer): number {
  const received = readMessage(message);
  if (received.kind === 'ignored') return 0;
  const answer = received.kind === 'refused' ? received.answer : failure(message, 2);
  return Math.max(0, answer.length - message.length);
}

test('no bytes make it throw, and no refusal is longer than what it refuses', () => {
  const bytes = fc.uint8Array({ maxLength: 700 });
  const property = fc.property(bytes, (message) => {
    expect(excess(Buffer.from(message))).toBe(0);
  });
  fc.assert(property, { numRuns: 5000 });
});

test('neither do damaged questions', () => {
  const name = fc.array(fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/), { minLength: 1, maxLength: 6 });
  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const property = fc.property(name, damage, fc.nat(20), (labels, changes, cut) => {
    const bytes = queryBytes(labels.join('.'), 'A', { additionals: [options] });
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    expect(excess(bytes.subarray(0, Math.max(1, bytes.length - cut)))).toBe(0);
  });
  fc.assert(property, { numRuns: 5000 });
});
