/**
 * `ask.ts tcp|udp ADDRESS PORT TIMES DEADLINE_MS`: prints as a JSON array what the server answered each time, its error's
 * code, or TIMEOUT.
 */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [protocol, address = '', portText, times, deadlineText] = process.argv.slice(2);
const port = Number(portText);
const deadlineMs = Number(deadlineText);

function askTcp(): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: address, port, timeout: deadlineMs });
    socket.setEncoding('utf8');
    socket.on('data', (data: string) => (text += data));
    socket.on('timeout', () => (resolve('TIMEOUT'), socket.destroy()));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve(text.trim()));
  });
}

function askUdp(): Promise<string> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => (resolve('TIMEOUT'), socket.close()), deadlineMs);
    socket.on('message', (message) => {
      clearTimeout(timer);
      resolve(message.toString().trim());
      socket.close();
    });
    socket.send('?', port, address);
  });
}

const answers: string[] = [];
for (let time = 0; time < Number(times); time += 1) answers.push(await (protocol === 'udp' ? askUdp() : askTcp()));
process.stdout.write(JSON.stringify(answers));
