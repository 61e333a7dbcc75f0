import { errorText } from '#shared/errors.ts';
import type { NftSession } from './nft.ts';
import { instanceNames, probeTableScript } from './rules.ts';

export interface RuleKeeperOptions {
  /** `instanceId` of the data root. */
  readonly instance: string;
  /** The caller's, who ends it after this. */
  readonly nft: NftSession;
  /** Told when the rules were gone and have been made again, or could not be. */
  readonly onWarning: (text: string) => void;
  readonly checkEveryMs: number;
}

/*
 * Invariants: one transaction at a time; a script that comes meanwhile waits, the newest alone. The rules may be taken
 * away by anybody (`nft flush ruleset`): what was applied last is made again within `checkEveryMs`.
 */
export class RuleKeeper implements Disposable {
  readonly #options: RuleKeeperOptions;
  readonly #nft: NftSession;
  readonly #timer: NodeJS.Timeout;
  #isChecking = false;
  #applied: string | undefined; // the script in force, undefined when not known
  #next: { script: string; done: Promise<void> } | undefined; // waits for the one under way

  /** Rules that an earlier runner left stay in force until the first `apply`. */
  constructor(options: RuleKeeperOptions) {
    this.#options = options;
    this.#nft = options.nft;
    this.#timer = setInterval(() => void this.#check(), options.checkEveryMs).unref();
  }

  /** True when there is a table already: an earlier runner's, and better than an empty one. */
  isThere(): Promise<boolean> {
    return succeeds(this.#nft.apply(probeTableScript(this.#options.instance)));
  }

  /**
   * Puts a complete script into force. Calls that come while a transaction is under way become one: only the newest set
   * matters.
   *
   * @throws BerthError `network.nft-failed`
   */
  apply(script: string): Promise<void> {
    if (this.#next !== undefined) {
      this.#next.script = script;
      return this.#next.done;
    }
    const next = { script, done: Promise.resolve() };
    this.#next = next;
    next.done = this.#nft.idle().then(() => {
      this.#next = undefined;
      return this.#applyNow(next.script);
    });
    return next.done;
  }

  async #applyNow(script: string): Promise<void> {
    if (script === this.#applied && (await this.isThere())) return;
    this.#applied = undefined;
    await this.#nft.apply(script);
    this.#applied = script;
  }

  /** One at a time; a failure is told and met again by the next. Nothing is restored before it was published once. */
  async #check(): Promise<void> {
    const script = this.#applied;
    const { onWarning, instance } = this.#options;
    const { table } = instanceNames(instance);
    if (this.#isChecking || this.#next !== undefined || script === undefined) return;
    this.#isChecking = true;
    try {
      if (await this.isThere()) return;
      // A publication that came meanwhile has, or will, set all of it.
      if (this.#next !== undefined || this.#applied !== script) return;
      await this.#nft.apply(script);
      onWarning(`The nftables table ${table} was gone and has been made again`);
    } catch (error) {
      onWarning(`The nftables table ${table} is gone: ${errorText(error)}`);
    } finally {
      this.#isChecking = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function succeeds(promise: Promise<void>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}
