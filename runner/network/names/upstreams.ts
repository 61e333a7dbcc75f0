import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { readResolvConf } from './resolv-conf.ts';

/** A resolver asks at most so many, as resolv.conf(5) has it. */
const maxServers = 3;

/** How long the host's file is taken for unchanged, in milliseconds: a look costs about 3 us. */
const checkEveryMs = 1000;

interface HostResolvers {
  readonly servers: readonly string[];
  readonly hasDots: boolean;
}

/**
 * The host's own resolvers, as its resolv.conf has them now, those on its loopback included: the questions are asked by a
 * process of the host. Read again when the file has changed.
 */
export class HostUpstreams {
  readonly #path: string;
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #stamp = '';
  #known: HostResolvers = { servers: [], hasDots: false };

  constructor(path: string) {
    this.#path = path;
  }

  get servers(): readonly string[] {
    return this.#read().servers;
  }

  /** True when the host's options say `ndots`, which its containers then have as well. */
  get hasDots(): boolean {
    return this.#read().hasDots;
  }

  #read(): HostResolvers {
    const now = performance.now();
    if (now - this.#checkedAtMs < checkEveryMs) return this.#known;
    this.#checkedAtMs = now;
    try {
      const { mtimeMs, ino, size } = statSync(this.#path);
      const stamp = `${mtimeMs} ${ino} ${size}`;
      if (stamp !== this.#stamp) {
        const { nameservers, options } = readResolvConf(readFileSync(this.#path, 'utf8'));
        this.#known = {
          servers: nameservers.filter(isAddress).slice(0, maxServers),
          hasDots: options.some((option) => option.startsWith('ndots:')),
        };
        this.#stamp = stamp;
      }
    } catch {
      this.#stamp = '';
      this.#known = { servers: [], hasDots: false };
    }
    return this.#known;
  }
}

/** An IPv6 address may name its link (`fe80::1%eth0`). */
function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}
