import { decode, encode, type Answer, type DecodedPacket } from 'dns-packet';

/** Response codes (RFC 1035 section 4.1.1). */
export const responseCode = { ok: 0, format: 1, failure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const;
export type ResponseCode = (typeof responseCode)[keyof typeof responseCode];

/** A question that this resolver looks into. The rest of the message goes to the outside as it came. */
export interface Query {
  readonly id: number;
  /** In lower case, without the last dot. */
  readonly name: string;
  /** `A`, `PTR` …, `UNKNOWN_<number>` for a type that is not known. */
  readonly type: string;
  readonly isInternet: boolean;
  /** Longest answer that the asker takes in a datagram, in bytes. */
  readonly datagramBytes: number;
  /** As decoded, for the answer. */
  readonly message: DecodedPacket;
}

/** What was received: a query, or something to which the answer (when there is one) is known at once. */
export type Received =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'refused'; readonly answer: Buffer }
  | { readonly kind: 'ignored' };

const headerBytes = 12;
const plainDatagramBytes = 512; // RFC 1035 section 2.3.4
/** What goes through any path unfragmented, and what we say that we take ourselves (RFC 9715). */
const ownDatagramBytes = 1232;

const flagResponse = 0x8000;
const flagAuthoritative = 0x0400;
const flagTruncated = 0x0200;
const flagRecursionDesired = 0x0100;
const flagRecursionAvailable = 0x0080;
const opcodeMask = 0x7800;

/**
 * Reads one message. What has no header, and what is itself an answer, is ignored: to answer it could go on for ever.
 */
export function readMessage(bytes: Buffer): Received {
  if (bytes.length < headerBytes) return { kind: 'ignored' };
  const flags = bytes.readUInt16BE(2);
  if ((flags & flagResponse) !== 0) return { kind: 'ignored' };
  if ((flags & opcodeMask) !== 0) return { kind: 'refused', answer: failure(bytes, responseCode.notImplemented) };
  const malformed = { kind: 'refused', answer: failure(bytes, responseCode.format) } as const;
  if (questionEnd(bytes) === undefined) return malformed;
  let message: DecodedPacket;
  try {
    message = decode(bytes);
  } catch {
    return malformed;
  }
  const [question] = message.questions ?? [];
  if (question === undefined) return malformed;
  const options = (message.additionals ?? []).find((one) => one.type === 'OPT');
  const query = {
    id: bytes.readUInt16BE(0),
    name: question.name.toLowerCase().replace(/\.$/, ''),
    type: question.type,
    isInternet: question.class === 'IN' || question.class === 'ANY',
    datagramBytes: Math.max(plainDatagramBytes, options?.udpPayloadSize ?? 0),
    message,
  };
  return { kind: 'query', query };
}

/**
 * Where the one question of a message ends; undefined when there is not exactly one, well-formed (RFC 1035 section
 * 4.1.2). A first name has nothing before it that it could point to.
 */
function questionEnd(bytes: Buffer): number | undefined {
  if (bytes.length < headerBytes || bytes.readUInt16BE(4) !== 1) return undefined;
  let at = headerBytes;
  for (;;) {
    const length = bytes[at];
    if (length === undefined || length > 63 || at - headerBytes > 254) return undefined;
    at += length + 1;
    if (length === 0) break;
  }
  return at + 4 <= bytes.length ? at + 4 : undefined;
}

/** The question of a message as bytes, or undefined: an answer must carry the same. */
function questionBytes(bytes: Buffer): Buffer | undefined {
  const end = questionEnd(bytes);
  return end === undefined ? undefined : bytes.subarray(headerBytes, end);
}

/** An answer with a code and without records, to a message of at least a header. */
export function failure(bytes: Buffer, code: ResponseCode, options: { truncated?: boolean } = {}): Buffer {
  const question = questionBytes(bytes) ?? Buffer.alloc(0);
  const answer = Buffer.alloc(headerBytes + question.length);
  bytes.copy(answer, 0, 0, 2);
  const asked = bytes.readUInt16BE(2) & (opcodeMask | flagRecursionDesired);
  const truncated = options.truncated === true ? flagTruncated : 0;
  answer.writeUInt16BE(asked | flagResponse | flagRecursionAvailable | truncated | code, 2);
  answer.writeUInt16BE(question.length === 0 ? 0 : 1, 4);
  question.copy(answer, headerBytes);
  return answer;
}

/** Our own answer; without records, that the name is there but has none of this type. */
export function answered(query: Query, records: readonly Answer[], longestBytes: number): Buffer {
  const asked = (query.message.flags ?? 0) & flagRecursionDesired;
  const flags = asked | flagAuthoritative | flagRecursionAvailable;
  const hasOptions = (query.message.additionals ?? []).some((one) => one.type === 'OPT');
  const make = (count: number): Buffer =>
    encode({
      type: 'response',
      id: query.id,
      flags: count < records.length ? flags | flagTruncated : flags,
      questions: query.message.questions,
      answers: records.slice(0, count),
      // Who speaks EDNS is answered in it (RFC 6891 section 7).
      additionals: hasOptions ? [ownOptions] : [],
    });
  let count = records.length;
  let answer = make(count);
  // As many as fit: an asker that does not come again by TCP has these.
  while (answer.length > longestBytes && count > 0) {
    count = Math.min(count - 1, Math.floor((count * longestBytes) / answer.length));
    answer = make(count);
  }
  return answer;
}

const ownOptions: Answer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: ownDatagramBytes,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

/** A message from an upstream, as the asker gets it: with its own id, and cut when it does not take so much at once. */
export function passedOn(query: Buffer, answer: Buffer, longestBytes: number): Buffer {
  if (answer.length > longestBytes) return failure(query, responseCode.ok, { truncated: true });
  const copy = Buffer.from(answer);
  query.copy(copy, 0, 0, 2);
  return copy;
}

/** True for an answer to what was asked, under this id. Letters may have changed their case (RFC 4343). */
export function isAnswerTo(query: Buffer, id: number, answer: Buffer): boolean {
  if (answer.length < headerBytes || answer.readUInt16BE(0) !== id) return false;
  if ((answer.readUInt16BE(2) & flagResponse) === 0) return false;
  const [asked, told] = [questionBytes(query), questionBytes(answer)];
  // Some servers leave the question out of a refusal.
  if (told === undefined) return answer.readUInt16BE(4) === 0 && codeOf(answer) !== responseCode.ok;
  return asked !== undefined && lowerCase(asked) === lowerCase(told);
}

function lowerCase(bytes: Buffer): string {
  return bytes.toString('latin1').toLowerCase();
}

/** The response code of a message that has a header. */
export function codeOf(answer: Buffer): number {
  return answer.readUInt16BE(2) & 0xf;
}
