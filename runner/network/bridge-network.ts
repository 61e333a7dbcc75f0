import { errorText } from '#shared/errors.ts';
import { makeBridge, removeBridge } from './bridge.ts';
import { HostNetworks, type HostNetworksOptions } from './host-networks.ts';
import { DEFAULT_NETWORK } from './network-record.ts';
import { NetworkStore } from './network-store.ts';
import type { Network } from './network.ts';
import { NftSession } from './nft.ts';
import { defaultNetwork, storedSubnet } from './predefined-networks.ts';
import { RuleKeeper } from './rule-keeper.ts';
import { instanceNames, removeTableScript } from './rules.ts';
import { setNetworkSysctl } from './sysctl.ts';

export interface NetworkOptions extends HostNetworksOptions {
  /** The caller's, who ends it after the network. */
  readonly nft: NftSession;
  /** Told when the rules were gone and have been made again, or could not be. */
  readonly onWarning?: (text: string) => void;
  /** How often it is looked whether the rules are still there, in milliseconds. Default: 10 s. */
  readonly checkEveryMs?: number;
}

const CHECK_EVERY_MS = 10_000;

/**
 * Brings up the data root's bridges and forwarding in this network namespace; networks that a crash left half made or
 * half removed are taken away. The rules of an earlier runner stay in force until the first `publish`, so that its
 * containers stay reachable meanwhile.
 *
 * Disposing it leaves bridges and rules as they are, because containers outlive the runner; `removeNetwork` undoes them.
 *
 * @throws BerthError `network.no-subnet`, `network.sysctl-failed`, `network.nft-failed`, and what `ensureBridge` throws
 */
export async function createNetwork(options: NetworkOptions): Promise<Network & Disposable> {
  const { database, instance, launcher } = options;
  const onWarning = options.onWarning ?? (() => {});
  const subnet = await storedSubnet(database);
  const fallback = defaultNetwork(instance, subnet);
  database.prepare('update network_leases set network_id = ? where network_id = ?').run(fallback.id, DEFAULT_NETWORK);
  const store = new NetworkStore(database);
  await setNetworkSysctl(['ipv4', 'ip_forward'], '1');
  await makeBridge(launcher, fallback);
  for (const { record, state } of store.list()) {
    try {
      if (state === 'ready') await makeBridge(launcher, record);
      else await removeBridge(launcher, store, record);
    } catch (error) {
      onWarning(`The bridge of the network "${record.name}" could not be brought up or removed: ${errorText(error)}`);
    }
  }
  const keeper = new RuleKeeper({
    instance,
    onWarning,
    nft: options.nft,
    checkEveryMs: options.checkEveryMs ?? CHECK_EVERY_MS,
  });
  const network = new HostNetworks(options, fallback, store, keeper);
  try {
    if (!(await keeper.isThere())) await network.publish([]);
  } catch (error) {
    network[Symbol.dispose]();
    throw error;
  }
  return network;
}

/** Removes what `createNetwork` and what came after it made in this network namespace; idempotent. No container may be left. */
export async function removeNetwork(
  options: Pick<NetworkOptions, 'launcher' | 'instance' | 'database'>,
): Promise<void> {
  await using nft = new NftSession();
  await nft.apply(removeTableScript(options.instance));
  const store = new NetworkStore(options.database);
  for (const { record } of store.list()) await removeBridge(options.launcher, store, record);
  await options.launcher.removeLink(instanceNames(options.instance).bridge);
}
