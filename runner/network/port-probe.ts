import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { PublishedPort } from '#shared/model/service.ts';

/** What came of binding a port for an instant: nobody has it, somebody has, or the host has no such address. */
export type PortProbe = 'free' | 'taken' | 'no-address';

/**
 * Whether a process of the host listens on a port that a published one would hide: asked by binding it for an instant.
 *
 * @param address of the host; `0.0.0.0`: all of them
 * @throws the system's error when the answer is another
 */
export async function probeHostPort(
  protocol: PublishedPort['protocol'],
  hostPort: number,
  address = '0.0.0.0',
): Promise<PortProbe> {
  try {
    await (protocol === 'tcp' ? bindTcp(hostPort, address) : bindUdp(hostPort, address));
    return 'free';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') return 'taken';
    if (code === 'EADDRNOTAVAIL') return 'no-address';
    throw error;
  }
}

function bindTcp(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function bindUdp(port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => socket.close(() => reject(error)));
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
