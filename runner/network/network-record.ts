import { z } from 'zod';

const text = z.record(z.string(), z.string());

/** One subnet of a network as it was asked for, addresses as written. */
const ipamConfig = z.object({
  subnet: z.string(),
  ipRange: z.string().optional(),
  gateway: z.string().optional(),
  auxiliaryAddresses: text.optional(),
});
export type IpamConfig = z.infer<typeof ipamConfig>;

/** What somebody asks for who makes a network. */
const networkRequest = z.object({
  name: z.string().min(1),
  labels: text,
  options: text,
  internal: z.boolean(),
  attachable: z.boolean(),
  ipam: z.object({ options: text.nullable(), config: z.array(ipamConfig) }),
});
export type NetworkRequest = z.infer<typeof networkRequest>;

/** How a bridge behaves, from the options that Docker knows for it. */
const bridgeSettings = z.object({
  /** The bridge's name in the runner's network namespace. */
  bridge: z.string(),
  /** Containers of this network reach each other. */
  isConnected: z.boolean(),
  /** What leaves for the world does so under the host's address. */
  masquerades: z.boolean(),
  /** Where ports are published that name no address. */
  hostAddress: z.string(),
  /** Bytes; undefined: the kernel's default. */
  mtuBytes: z.int().optional(),
});
export type BridgeSettings = z.infer<typeof bridgeSettings>;

/** A bridge network: what was asked for, and what was chosen for it. */
export const bridgeNetwork = networkRequest.extend({
  ...bridgeSettings.shape,
  kind: z.literal('bridge'),
  /** 64 hex digits. */
  id: z.string(),
  createdAtMs: z.int(),
  /** `10.83.4.0/22` */
  subnet: z.string(),
  gateway: z.string(),
  /** Addresses are leased from this part of the subnet only. */
  ipRange: z.string().optional(),
  /** Addresses that no container gets by itself or by request: the auxiliary ones. */
  reserved: z.array(z.string()),
});
export type BridgeNetworkRecord = z.infer<typeof bridgeNetwork>;

/** `host` and `none`: there by definition, with nothing behind them. */
export interface PlainNetworkRecord {
  readonly kind: 'host' | 'none';
  readonly id: string;
  readonly name: 'host' | 'none';
}

export type NetworkRecord = BridgeNetworkRecord | PlainNetworkRecord;

/** The name of the network that containers are on by default, and its key in a container's config. */
export const DEFAULT_NETWORK = 'bridge';

const predefined = ['bridge', 'host', 'none', 'default'];

/** True for a name that only the engine's own networks have. */
export function isPredefined(name: string): boolean {
  return predefined.includes(name);
}
