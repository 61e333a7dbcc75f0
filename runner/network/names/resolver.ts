import { errorText } from '#shared/errors.ts';
import type { NetworkNames } from '../name-table.ts';
import type { NftSession } from '../nft.ts';
import { GatewaySockets } from './gateway-sockets.ts';
import { NameIndex } from './name-index.ts';
import { QuestionDesk, type ContainerDns } from './question-desk.ts';
import { probeRedirectScript, redirectScript } from './redirect-rules.ts';
import { HostUpstreams } from './upstreams.ts';

export interface ResolverOptions {
  /** `instanceId` of the data root. */
  readonly instance: string;
  readonly nft: Pick<NftSession, 'apply'>;
  /** What a container was given in place of the host's resolvers; undefined for one that was given nothing. */
  readonly dnsOf: (containerId: string) => ContainerDns | undefined;
  /** Told when a network has no resolver for now, and when its rules were gone. */
  readonly onWarning?: (text: string) => void;
  /** Default: /etc/resolv.conf. */
  readonly hostFile?: string;
  /** Where upstreams listen. Default: 53. */
  readonly upstreamPort?: number;
  /** How often sockets and rules are looked after, in milliseconds. Default: 5 s. */
  readonly checkEveryMs?: number;
}

const defaultCheckEveryMs = 5000;

/**
 * Answers the names of containers at the gateway of each network that it is told of, in this process. Containers ask
 * port 53 of the gateway; nftables brings their questions to the ports on which the sockets are.
 *
 * Invariants: one adjustment of sockets and rules at a time, towards the newest set; what could not be opened, and rules
 * that somebody took away, are tried again. Names change at once, before the promise of `update` resolves.
 */
export class Resolver implements AsyncDisposable {
  readonly #options: ResolverOptions;
  readonly #desk: QuestionDesk;
  readonly #sockets = new Map<string, GatewaySockets>(); // by network id
  readonly #timer: NodeJS.Timeout;
  readonly #told = new Set<string>();
  #networks: readonly NetworkNames[] = [];
  #tail: Promise<void> = Promise.resolve();
  #applied: string | undefined; // the script in force, undefined when not known
  #disposed = false;

  constructor(options: ResolverOptions) {
    this.#options = options;
    const host = new HostUpstreams(options.hostFile ?? '/etc/resolv.conf');
    const { dnsOf, upstreamPort } = options;
    this.#desk = new QuestionDesk({ dnsOf, host, ...(upstreamPort === undefined ? {} : { upstreamPort }) });
    const check = (): void => void this.#adjustNext(true);
    this.#timer = setInterval(check, options.checkEveryMs ?? defaultCheckEveryMs).unref();
  }

  /** The complete set of networks and names from now on. Resolves when their gateways answer, or a warning was told. */
  update(networks: readonly NetworkNames[]): Promise<void> {
    this.#networks = networks;
    this.#desk.update(new NameIndex(networks), new Set(networks.map((network) => network.gateway)));
    return this.#adjustNext(false);
  }

  /** Closes the sockets and removes the rules. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    clearInterval(this.#timer);
    await this.#tail;
    for (const sockets of this.#sockets.values()) await sockets[Symbol.asyncDispose]();
    this.#sockets.clear();
    const none = redirectScript(this.#options.instance, []);
    if (this.#applied !== undefined && this.#applied !== none) await this.#options.nft.apply(none);
  }

  #adjustNext(isCheck: boolean): Promise<void> {
    if (this.#disposed) return this.#tail;
    this.#tail = this.#tail.then(() => this.#adjust(isCheck));
    return this.#tail;
  }

  async #adjust(isCheck: boolean): Promise<void> {
    if (isCheck && this.#applied === undefined && this.#networks.length === 0) return;
    const wanted = new Map(this.#networks.map((network) => [network.networkId, network]));
    for (const [id, sockets] of this.#sockets) {
      if (wanted.get(id)?.gateway !== sockets.gateway.address) await this.#close(id);
    }
    for (const network of wanted.values()) await this.#open(network);
    try {
      await this.#redirect(isCheck);
      this.#told.delete('rules');
    } catch (error) {
      this.#applied = undefined;
      this.#warnOnce('rules', `The networks' resolvers cannot be reached: ${errorText(error)}`);
    }
  }

  async #open({ networkId, networkName, gateway }: NetworkNames): Promise<void> {
    if (this.#sockets.has(networkId)) return;
    try {
      const opened = await GatewaySockets.listen({ networkId, address: gateway }, this.#desk, () => {
        // The socket is of no more use: the next look opens another.
        if (this.#sockets.get(networkId) === opened) void this.#close(networkId);
      });
      this.#sockets.set(networkId, opened);
      this.#told.delete(networkId);
    } catch (error) {
      this.#warnOnce(
        networkId,
        `Network "${networkName}" has no resolver yet, it is tried again: ${gateway}: ${errorText(error)}`,
      );
    }
  }

  async #close(networkId: string): Promise<void> {
    const sockets = this.#sockets.get(networkId);
    this.#sockets.delete(networkId);
    this.#told.delete(networkId);
    await sockets?.[Symbol.asyncDispose]();
  }

  /** What an earlier runner left in the table is replaced by the first adjustment. */
  async #redirect(isCheck: boolean): Promise<void> {
    const { instance, nft } = this.#options;
    const redirects = [...this.#sockets.values()].map(({ gateway, ports }) => ({ gateway: gateway.address, ports }));
    const script = redirectScript(instance, redirects);
    if (script === this.#applied) {
      if (!isCheck || redirects.length === 0 || (await this.#isThere())) return;
      this.#options.onWarning?.('The nftables table of the resolvers was gone and has been made again');
    }
    this.#applied = undefined;
    await nft.apply(script);
    this.#applied = script;
  }

  #isThere(): Promise<boolean> {
    return this.#options.nft.apply(probeRedirectScript(this.#options.instance)).then(
      () => true,
      () => false,
    );
  }

  #warnOnce(subject: string, text: string): void {
    if (this.#told.has(subject)) return;
    this.#told.add(subject);
    this.#options.onWarning?.(text);
  }
}
