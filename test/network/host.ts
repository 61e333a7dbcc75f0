/**
 * A runner's network alone, in the network namespace in which this program is started: `host.ts DATABASE` takes calls as
 * JSON lines `[method, …arguments]` on standard input and answers each with a JSON line. Links are made with `ip` here;
 * in the runner the launcher makes them.
 */
import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { isBerthError, errorText } from '#shared/errors.ts';
import { instanceId, openRunnerDatabase } from '../../runner/database.ts';
import { createNetwork, removeNetwork } from '../../runner/network/bridge-network.ts';
import type { LinkMaker } from '../../runner/network/bridge.ts';
import type { NetworkRequest } from '../../runner/network/network-record.ts';
import type { Network } from '../../runner/network/network.ts';
import { NftSession } from '../../runner/network/nft.ts';

const run = promisify(execFile);

const launcher: LinkMaker = {
  async ensureBridge({ name, address, prefixLength }) {
    await run('ip', ['link', 'add', name, 'type', 'bridge']).catch(() => {});
    await run('ip', ['address', 'replace', `${address}/${prefixLength}`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
  },
  async removeLink(name) {
    await run('ip', ['link', 'del', name]).catch(() => {});
  },
};

using database = openRunnerDatabase(process.argv[2] ?? '');
const instance = instanceId(database);
await using nft = new NftSession();
using network = await createNetwork({ database, launcher, nft, instance, checkEveryMs: 100 });
process.stdout.write('ready\n');

type Call =
  | { [Method in 'lease' | 'release' | 'reserve' | 'publish']: [Method, ...Parameters<Network[Method]>] }[
      | 'lease'
      | 'release'
      | 'reserve'
      | 'publish']
  | ['remove']
  | ['create', NetworkRequest]
  | ['drop', string]
  | ['names'];

async function perform(call: Call): Promise<unknown> {
  switch (call[0]) {
    case 'lease':
      return network.lease(call[1], call[2], call[3]);
    case 'release':
      return network.release(call[1]);
    case 'reserve':
      return network.reserve(call[1], call[2], call[3]);
    case 'publish':
      return network.publish(call[1]);
    case 'create':
      return network.create(call[1]);
    case 'drop':
      return network.remove(call[1]);
    case 'remove':
      return removeNetwork({ launcher, instance, database });
    case 'names':
      return { bridge: `br-${instance}`, table: `berth-${instance}`, gateway: network.gateway };
    default:
      throw new Error(`no such call: ${JSON.stringify(call satisfies never)}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const result = await perform(JSON.parse(line) as Call);
    process.stdout.write(`${JSON.stringify({ result: result ?? null })}\n`);
  } catch (error) {
    const code = isBerthError(error) ? error.code : 'internal';
    process.stdout.write(`${JSON.stringify({ code, message: errorText(error) })}\n`);
  }
}
