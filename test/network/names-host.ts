/**
 * A resolver alone, in the network namespace in which this program is started, where its gateways must be:
 * `names-host.ts RESOLV_CONF` answers the calls of `RemoteProgram`.
 */
import { NftSession } from '../../runner/network/nft.ts';
import type { NetworkNames } from '../../runner/network/name-table.ts';
import type { ContainerDns } from '../../runner/network/names/question-desk.ts';
import { Resolver } from '../../runner/network/names/resolver.ts';
import { serveCalls } from '../support/serve-calls.ts';

const dns = new Map<string, ContainerDns>();
const warnings: string[] = [];
await using nft = new NftSession();
await using resolver = new Resolver({
  instance: 'test',
  nft,
  dnsOf: (containerId) => dns.get(containerId),
  onWarning: (text) => warnings.push(text),
  hostFile: process.argv[2] ?? '',
  checkEveryMs: 100,
});

const methods = {
  update: (networks: readonly NetworkNames[]) => resolver.update(networks),
  give: async (containerId: string, own: ContainerDns) => void dns.set(containerId, own),
  warnings: async () => warnings,
} as const;
export type NamesMethods = typeof methods;

await serveCalls(methods);
