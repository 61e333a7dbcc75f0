import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { PublishedPort } from '#shared/model/service.ts';

/**
 * True when no process of the host listens on a port that a published one would hide: asked by binding it on all
 * addresses for an instant.
 *
 * @throws the system's error when the answer is another than yes or no
 */
export async function hostPortIsFree(protocol: PublishedPort['protocol'], hostPort: number): Promise<boolean> {
  try {
    await (protocol === 'tcp' ? bindTcp(hostPort) : bindUdp(hostPort));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
}

function bindTcp(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '0.0.0.0', port, exclusive: true }, () => server.close(() => resolve()));
  });
}

function bindUdp(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', (error) => socket.close(() => reject(error)));
    socket.bind({ address: '0.0.0.0', port, exclusive: true }, () => socket.close(() => resolve()));
  });
}
