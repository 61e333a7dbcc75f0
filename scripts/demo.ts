import { expectNoResidue, snapshotResidue } from '../test/support/residue.ts';
import { Narrator } from './demo/narrator.ts';
import { afterwards, hello } from './demo/scenes.ts';
import { Stage } from '../test/support/stage/stage.ts';

/**
 * The whole system on this machine, as root: a control plane, two hosts in network namespaces, a stack on them, faults,
 * and nothing left behind. KEEP=1 stays up until it is interrupted; EDGE=1 runs the control plane in the edge runtime.
 */
async function demo(signal: AbortSignal): Promise<void> {
  const isKept = (process.env['KEEP'] ?? '') !== '';
  const isEdge = (process.env['EDGE'] ?? '') !== '';
  if (process.getuid?.() !== 0) throw new Error('the demo makes network namespaces and containers: run it as root');
  const narrator = new Narrator();
  const before = await snapshotResidue();
  const stage = await Stage.create(signal);
  const failure = await play(stage, narrator, { isKept, isEdge, signal });
  narrator.say('\n== Tearing down');
  await stage[Symbol.asyncDispose]();
  // Only now are all marks known: the runners' own are in their databases. A demo that failed leaves nothing either.
  await expectNoResidue(before, { within: stage.marks });
  narrator.say('   nothing is left: no process, mount, namespace, link, nftables table, cgroup or file');
  if (failure !== undefined) throw failure;
}

/** Resolves with what failed, once what the daemons said last has been printed; undefined when nothing did. */
async function play(
  stage: Stage,
  narrator: Narrator,
  { isKept, isEdge, signal }: { readonly isKept: boolean; readonly isEdge: boolean; readonly signal: AbortSignal },
): Promise<Error | undefined> {
  try {
    await hello(stage, narrator, { edge: isEdge, signal });
    if (isKept) await stayUp(stage, narrator);
    await afterwards(stage, narrator, signal);
    return undefined;
  } catch (cause) {
    if (signal.aborted) return new Error('interrupted');
    process.stderr.write(`\n${await stage.tails()}\n\n`);
    return cause instanceof Error ? cause : new Error(String(cause));
  }
}

/** Resolves when the demo is interrupted. */
async function stayUp(stage: Stage, narrator: Narrator): Promise<void> {
  const [alpha] = stage.hosts;
  narrator.say(
    [
      '\n== It stays up. In another terminal, type for example:',
      `   export BERTH_CONFIG=${stage.configPath} PATH=$PWD/bin:$PATH`,
      '   berth ps',
      '   berth exec -it hello/web.1 sh',
      '   berth logs -f hello/worker',
      '   berth scale hello/web=5 --wait',
      '   berth events -f',
      `   curl http://${alpha.address}:8080/`,
      '   To end it and remove everything: Ctrl-C here.',
    ].join('\n'),
  );
  staying = Promise.withResolvers<void>();
  await staying.promise;
  staying = undefined;
}

const interrupt = new AbortController();
/** Set while a kept demo waits to be ended: an interrupt is then no failure. */
let staying: PromiseWithResolvers<void> | undefined;
const onInterrupt = (): void => {
  if (staying === undefined) interrupt.abort(new Error('interrupted'));
  else staying.resolve();
};
process.on('SIGINT', onInterrupt);
process.on('SIGTERM', onInterrupt);
try {
  await demo(interrupt.signal);
  process.stdout.write('demo: ok\n');
} catch (error) {
  process.stderr.write(`demo: failed: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
