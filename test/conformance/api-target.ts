import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROTOCOL_VERSION } from '#shared/protocol/control.ts';
import { assignmentDigest } from '#shared/model/assignment.ts';
import type { ApiTarget } from './api-client.ts';
import { startEdge } from '../../control-plane/dev/edge-server.ts';
import { startControlPlane } from '../../control-plane/node.ts';
import { parseControlPlaneOptions } from '../../control-plane/node/options.ts';
import { HostChannel } from './host-channel.ts';
import { newHostKey } from './host-key.ts';
import type { ControlPlaneKind } from './target.ts';

const start = { node: startControlPlane, edge: startEdge };

/**
 * A new control plane for the API suite, which wants an empty one for each test: the composition root itself, in this
 * process. Its hosts are connected over the real control channel.
 */
export async function startApiTarget(kind: ControlPlaneKind): Promise<ApiTarget> {
  const directory = await mkdtemp(join(tmpdir(), `berth-api-${kind}-`));
  const options = parseControlPlaneOptions(['--listen', '127.0.0.1:0', '--data', directory]);
  if (options === 'help') throw new Error('these are no options for help');
  const controlPlane = await start[kind](options);
  const key = await newHostKey();
  const channels: HostChannel[] = [];
  return {
    bootstrapSecret: (await readFile(controlPlane.secretPath, 'utf8')).trim(),
    hostPublicKey: key.publicKey,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const { method, headers } = request;
      const body = request.body === null ? null : await request.text(); // a text is sent with its length, as clients do
      return fetch(controlPlane.url + pathname + search, { method, headers, body });
    },
    async connectHost(hostId, facts, images) {
      const channel = await HostChannel.dial(controlPlane.url, hostId);
      channels.push(channel);
      const { nonce } = await channel.next('challenge');
      const version = { generation: 0, digest: await assignmentDigest({ tasks: [] }) };
      const signature = await key.sign(hostId, nonce);
      channel.send({ kind: 'hello', protocol: PROTOCOL_VERSION, hostId, signature, facts, images, version });
      channel.startHeartbeats((await channel.next('welcome')).heartbeatMs);
    },
    async [Symbol.asyncDispose]() {
      for (const channel of channels) channel.terminate();
      await controlPlane[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
