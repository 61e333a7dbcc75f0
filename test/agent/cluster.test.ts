import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { HostView } from '#shared/api/hosts.ts';
import { runAgent } from '../../runner/agent/agent.ts';
import { generateKey, type Identity } from '../../runner/agent/identity.ts';
import { createLog } from '../../runner/log.ts';
import { hostFacts } from '../../runner/os/facts.ts';
import { createReconciler } from '../../runner/reconcile/loop.ts';
import { Admin } from '../conformance/admin.ts';
import { eventually } from '../conformance/eventually.ts';
import { dialRelay } from '../conformance/relay-end.ts';
import { startTarget, type Target } from '../conformance/target.ts';
import { engineWithout } from '../support/engine-without.ts';
import { busyboxImage, dockerArchive } from '../support/image.ts';
import { openTestImageStore } from '../support/image-store.ts';

/** An agent with a real image store and reconciler, joined to a control plane of its own. */
async function joinedAgent() {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const target = stack.use(await startTarget('node'));
  const admin = await Admin.bootstrap(target);
  const key = generateKey();
  const facts = await hostFacts([]);
  const hostId = await admin.join({ protocol: 1, name: 'kiel', publicKey: key.x, facts });
  const identity: Identity = { state: 'joined', key, hostId, name: 'kiel', url: target.url };
  const { store: images, database } = stack.use(await openTestImageStore());
  const engine = engineWithout();
  const reconciler = await createReconciler({ database, engine, images, clock: Date.now });
  const stop = new AbortController();
  const lines: string[] = [];
  const log = createLog('text', (line) => lines.push(line));
  const options = { identity, facts, database, engine, images, reconciler, log, refusedRetryMs: 200 };
  const agent = runAgent(options, { signal: stop.signal });
  const work = reconciler.run({ signal: stop.signal });
  stack.defer(async () => {
    stop.abort();
    await Promise.all([agent, work]);
  });
  await eventually(() => admin.host('kiel'), isReady);
  return { target, admin, images, agent, lines };
}

const isReady = (host: HostView) => host.state === 'ready';
const archive = dockerArchive([busyboxImage({ reference: 'hello:1' })]);

/** Loads an archive into the host as a client does; resolves with the stream's trailer, rejects with why it was reset. */
async function load({ target, admin }: { target: Target; admin: Admin }, bytes: Buffer): Promise<unknown> {
  const end = await dialRelay(target.url, await admin.openRelay({ type: 'image-load', host: 'kiel' }), 'client');
  try {
    const stream = end.mux.open({ type: 'image-load' });
    const sent = stream.write(bytes).then(() => stream.end());
    sent.catch(() => {}); // a refused archive is told by the stream's end
    const progress = text(stream.readable);
    progress.catch(() => {});
    const trailer = await stream.finished;
    expect(await progress).toContain('"message"');
    return trailer;
  } finally {
    end.socket.terminate();
  }
}

test('a corrupt archive is told and leaves nothing; a good one is on the host and known to the control plane', async () => {
  const cluster = await joinedAgent();
  const { admin, images } = cluster;
  const corrupt = Buffer.from(archive);
  corrupt.fill(0xff, 200_000, 200_100); // in the middle of the busybox program
  await expect(load(cluster, corrupt)).rejects.toMatchObject({ code: 'image.archive-corrupt' });
  expect(images.list()).toEqual([]);
  const trailer = await load(cluster, archive);
  const [image] = images.list();
  expect(trailer).toEqual({ images: [{ id: image?.id, references: ['docker.io/library/hello:1'] }] });
  const host = await eventually(
    () => admin.host('kiel'),
    (host) => host.images.length === 1,
  );
  expect(host.images[0]?.id).toBe(image?.id);
});

test('a control plane that crashes and comes back has the host again, and its assignment is applied', async () => {
  const cluster = await joinedAgent();
  const { admin, target } = cluster;
  const isApplied = (host: HostView) => host.appliedGeneration === host.generation;
  await load(cluster, archive);
  await eventually(
    () => admin.host('kiel'),
    (host) => host.images.length === 1,
  );
  await admin.apply('hello', 'services:\n  web:\n    image: hello:1\n');
  await eventually(
    () => admin.host('kiel'),
    (host) => host.tasks === 1 && isApplied(host),
  );
  await target.crash();
  await eventually(() => admin.host('kiel'), isReady);
  await admin.removeStack('hello');
  const host = await eventually(
    () => admin.host('kiel'),
    (host) => host.tasks === 0 && isApplied(host),
  );
  expect(host.state).toBe('ready');
});

test('a host that is removed stops for good and says what to do', async () => {
  const { admin, agent, lines } = await joinedAgent();
  await admin.removeHost('kiel');
  await agent;
  expect(lines.join('')).toContain('this host was removed from the cluster; its containers keep running');
});
