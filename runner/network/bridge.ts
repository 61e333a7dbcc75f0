import type { Launcher } from '../launcher/launcher.ts';
import { parsePrefix } from './ipam.ts';
import type { BridgeNetworkRecord } from './network-record.ts';
import type { NetworkStore } from './network-store.ts';
import { setNetworkSysctl } from './sysctl.ts';

/** What the network needs of the launcher: links are made over rtnetlink there. */
export type LinkMaker = Pick<Launcher, 'ensureBridge' | 'removeLink'>;

/** Its bridge, with its address; idempotent. */
export async function makeBridge(launcher: LinkMaker, { bridge, gateway, subnet }: BridgeNetworkRecord): Promise<void> {
  const prefixLength = parsePrefix(subnet)?.prefixLength ?? 0;
  await launcher.ensureBridge({ name: bridge, address: gateway, prefixLength });
  await setNetworkSysctl(['ipv4', 'conf', bridge, 'route_localnet'], '1');
}

/** The bridge first: a record says what there may still be. */
export async function removeBridge(
  launcher: LinkMaker,
  store: NetworkStore,
  record: BridgeNetworkRecord,
): Promise<void> {
  store.setState(record.id, 'removing');
  await launcher.removeLink(record.bridge);
  store.delete(record.id);
}
