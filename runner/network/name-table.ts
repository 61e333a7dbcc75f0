/** A container on a network, by every name that it answers to there. */
export interface NamedEndpoint {
  readonly networkId: string;
  readonly containerId: string;
  /** The container's name, its short id, its host name and its aliases; legacy links add the linked one's. */
  readonly names: readonly string[];
  /** Dotted quad. */
  readonly address: string;
  /** The id of the one container that knows these names (its links); absent: all of the network. */
  readonly onlyFor?: string | undefined;
}

/** What a network's resolver answers from: complete, whatever was known before. */
export interface NetworkNames {
  readonly networkId: string;
  readonly networkName: string;
  /** The address that containers of this network ask at. */
  readonly gateway: string;
  /** `172.18.0.0/16`: nobody else is answered at the gateway. */
  readonly subnet: string;
  readonly endpoints: readonly NamedEndpoint[];
  /** Without a way out: names of the world are not forwarded either. */
  readonly internal: boolean;
}
