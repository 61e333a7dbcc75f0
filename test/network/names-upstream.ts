/**
 * Stands for a resolver of the world: `names-upstream.ts NAME ADDRESS` answers at port 53 of the address. What it answers
 * follows from the name that it is asked for.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { decode, encode, streamEncode, type Answer, type DecodedPacket, type Packet } from 'dns-packet';

const [, , ownName = '', address = ''] = process.argv;
const truncated = 0x200;

function reply(query: DecodedPacket, answers: Answer[], flags = 0): Packet {
  return { type: 'response', id: query.id, flags: 0x180 | flags, questions: query.questions, answers };
}

function text(name: string, data: string): Answer {
  return { type: 'TXT', name, ttl: 60, data };
}

/** The messages that are sent for a question, in this order. */
function answersTo(query: DecodedPacket, transport: 'udp' | 'tcp'): Packet[] {
  const name = query.questions?.[0]?.name ?? '';
  const addressed = (data: string): Answer[] => [{ type: 'A', name, ttl: 60, data }];
  const size = query.additionals?.find((one) => one.type === 'OPT')?.udpPayloadSize;
  switch (name.toLowerCase()) {
    case 'example.test':
      return [reply(query, addressed('203.0.113.7'))];
    case 'who.test':
      return [reply(query, [text(name, ownName)])];
    case 'edns.test':
      return [reply(query, [text(name, `${size ?? 'none'}`)])];
    case 'long.test': {
      if (transport === 'udp') return [reply(query, [], truncated)];
      const many = Array.from({ length: 200 }, (_, n) => text(name, `${n} ${'x'.repeat(100)}`));
      return [reply(query, many)];
    }
    case 'forged.test': {
      const forged = reply(query, addressed('192.0.2.66'));
      return [
        { ...forged, id: ((query.id ?? 0) + 1) % 65_536 },
        { ...forged, questions: [{ type: 'A', name: 'other.test' }] },
        { ...forged, type: 'query' },
        reply(query, addressed('203.0.113.8')),
      ];
    }
    case 'sick.test':
      return [reply(query, [], ownName === 'one' ? 2 : 0)];
    case 'silent.test':
      return ownName === 'one' ? [] : [reply(query, addressed('203.0.113.9'))];
    case 'dead.test':
      return [];
    default:
      return [reply(query, [], 3)];
  }
}

const datagrams = createSocket('udp4');
datagrams.on('message', (bytes, peer) => {
  for (const answer of answersTo(decode(bytes), 'udp')) datagrams.send(encode(answer), peer.port, peer.address);
});
const server = createServer((socket) => {
  socket.on('error', () => {});
  // In a test, a question comes in one piece.
  socket.on('data', (bytes) => {
    for (const answer of answersTo(decode(bytes.subarray(2)), 'tcp')) socket.write(streamEncode(answer));
  });
});
datagrams.bind(53, address, () => server.listen(53, address, () => process.stdout.write('ready\n')));
