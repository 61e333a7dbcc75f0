/** `ask.ts tcp|udp ADDRESS PORT TIMES`: prints as a JSON array what the server answered each time, or its error's code. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

const [protocol, address = '', portText, times] = process.argv.slice(2);
const port = Number(portText);
const DEADLINE_MS = 1500;

function askTcp(): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: address, port, timeout: DEADLINE_MS });
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
    const timer = setTimeout(() => (resolve('TIMEOUT'), socket.close()), DEADLINE_MS);
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
