/**
 * Stands for the server in a container: `answer.ts PORT NAME` answers each TCP connection and each UDP datagram at PORT
 * with one line, NAME and the address that it sees.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const port = Number(process.argv[2]);
const name = process.argv[3] ?? '';

const server = createServer((socket) => socket.end(`${name} ${socket.remoteAddress ?? ''}\n`));
const udp = createSocket('udp4');
udp.on('message', (_message, peer) => udp.send(`${name} ${peer.address}\n`, peer.port, peer.address));
udp.bind(port, () => server.listen(port, '0.0.0.0', () => process.stdout.write('ready\n')));
