import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRunnerDatabase } from '../database.ts';
import { PortReservations } from './port-reservations.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-ports-'));
});
afterEach(() => rm(directory, { recursive: true }));

const tcp = (hostPort: number) => ({ protocol: 'tcp' as const, hostPort, containerPort: 80 });
const [ONE, TWO, THREE] = ['1', '2', '3'].map((digit) => digit.repeat(64)) as [string, string, string];

/** A port that nobody listens on at this moment. */
async function freePort(): Promise<number> {
  await using server = createServer().listen(0, '0.0.0.0');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a group shares its ports; another group is told who holds them, and gets none of what it asked for', async () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const reservations = new PortReservations(database);
  const [port, other] = [await freePort(), await freePort()];
  await reservations.reserve(ONE, 'web', [tcp(port)]);
  await reservations.reserve(TWO, 'web', [tcp(port)]);
  const refused = reservations.reserve(THREE, 'api', [tcp(other), tcp(port)]);
  await expect(refused).rejects.toMatchObject({
    code: 'port.taken',
    message: `Bind for 0.0.0.0:${port} failed: port is already allocated (container 111111111111 publishes tcp port ${port})`,
    remedy: 'Stop that container (111111111111), or publish another host port.',
  });
  expect(database.prepare('select count(*) as n from port_reservations').get()).toEqual({ n: 2 });

  await reservations.reserve(ONE, 'web', []);
  reservations.release(TWO);
  await reservations.reserve(THREE, 'api', [tcp(port)]);
});

test('of two groups that ask at once, one gets the port', async () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const reservations = new PortReservations(database);
  const port = await freePort();
  const results = await Promise.allSettled([
    reservations.reserve(ONE, 'web', [tcp(port)]),
    reservations.reserve(TWO, 'api', [tcp(port)]),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});

test('a port on which another process of the host listens is taken, on whichever address', async () => {
  using database = openRunnerDatabase(join(directory, 'runner.db'));
  const reservations = new PortReservations(database);
  for (const address of ['0.0.0.0', '127.0.0.1']) {
    await using server = createServer().listen(0, address);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await expect(reservations.reserve(ONE, 'web', [tcp(port)])).rejects.toMatchObject({
      code: 'port.taken',
      message: expect.stringContaining(`another process of this host uses tcp port ${port}`) as string,
    });
  }
});
