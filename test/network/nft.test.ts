import { expect, test } from 'vitest';
import type { Endpoint } from '../../runner/network/network.ts';
import { NftSession } from '../../runner/network/nft.ts';
import { removeTableScript, tableScript } from '../../runner/network/rules.ts';
import { NetworkNamespace } from './namespace.ts';

const networks = [
  {
    bridge: 'br-one',
    subnet: { base: 0x0a530000, prefixLength: 22 },
    internal: false,
    isConnected: true,
    masquerades: true,
  },
];

function endpoint(address: string, hostPorts: readonly number[]): Endpoint {
  const ports = hostPorts.map((hostPort) => ({ protocol: 'tcp' as const, hostPort, containerPort: 80 }));
  return { containerId: address, address, publishGroup: 'g', ports };
}

test('each transaction is all or nothing, errors are told, and the session goes on', async () => {
  await using namespace = await NetworkNamespace.create();
  await using nft = new NftSession(['ip', 'netns', 'exec', namespace.name, 'nft']);
  await nft.apply(tableScript('one', networks, [endpoint('10.83.0.2', [80])]));
  const before = await namespace.run('nft', 'list', 'ruleset');
  expect(before).toMatch(/(?:tcp|6) \. 80 : 10\.83\.0\.2 \. 80/); // without /etc/protocols nft shows the number
  await expect(nft.apply('delete table ip berth-one; add rule ip nowhere input drop')).rejects.toMatchObject({
    code: 'network.nft-failed',
    message: expect.stringContaining('No such file or directory') as string,
  });
  expect(await namespace.run('nft', 'list', 'ruleset')).toBe(before);
  await nft.apply(removeTableScript('one'));
  expect(await namespace.run('nft', 'list', 'ruleset')).toBe('');
});

test('a thousand published ports, and many containers at one port, are one transaction', async () => {
  await using namespace = await NetworkNamespace.create();
  await using nft = new NftSession(['ip', 'netns', 'exec', namespace.name, 'nft']);
  const ports = Array.from({ length: 1000 }, (_, index) => 10_000 + index);
  const endpoints = Array.from({ length: 200 }, (_, index) => endpoint(`10.83.1.${index + 1}`, [80]));
  await nft.apply(tableScript('one', networks, [endpoint('10.83.0.2', ports), ...endpoints]));
  const text = await namespace.run('nft', 'list', 'ruleset');
  expect(text.match(/(?:tcp|6) \. \d+ : 10\.83\.0\.2 \. 80/g)).toHaveLength(1000);
  expect(text).toContain('numgen random mod 200');
});

test('a session whose process was killed tells its caller and starts another', async () => {
  await using namespace = await NetworkNamespace.create();
  await using nft = new NftSession(['ip', 'netns', 'exec', namespace.name, 'nft']);
  await nft.apply(tableScript('one', networks, []));
  const pids = (await namespace.run('ip', 'netns', 'pids', namespace.name)).trim().split('\n');
  const first = nft.apply(tableScript('two', networks, []));
  for (const pid of pids.map(Number)) killIfThere(pid);
  await Promise.allSettled([first]); // told or done, as the kill came before or after
  await nft.apply(tableScript('two', networks, []));
  expect(await namespace.run('nft', 'list', 'tables')).toContain('berth-two');
});

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was the listing's own process, which has ended.
  }
}

test('a missing nft is told', async () => {
  await using nft = new NftSession(['/nonexistent/nft']);
  await expect(nft.apply('list tables')).rejects.toMatchObject({ code: 'network.nft-failed' });
});
