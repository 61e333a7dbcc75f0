import { beforeAll, describe, expect, test } from 'vitest';
import { hasClient28 } from '../support/docker-client.ts';
import { dockerdIsInstalled, EngineUnderTest, type Outcome } from './engine.ts';
import { normalise } from './normalise.ts';
import type { Step } from './step.ts';
import { textMatcher } from './text-matcher.ts';
import { transcript } from './transcript.ts';

const PLAY_MS = 2_400_000;

let outcomes: readonly Outcome[] = [];
let peers: readonly Outcome[] | undefined;

async function play(engine: EngineUnderTest): Promise<readonly Outcome[]> {
  const all: Outcome[] = [];
  for (const step of transcript) {
    const { exit, stdout, stderr } = await engine.run(step);
    const lines = normalise(stdout);
    const shown = step.sorted === true ? lines.split('\n').toSorted().join('\n').trimStart() : lines;
    all.push({ exit, stdout: shown, stderr: normalise(stderr) });
  }
  return all;
}

/** The two engines share nothing, so the two plays go on at once. */
beforeAll(async () => {
  if (!hasClient28) return;
  await using stack = new AsyncDisposableStack();
  const dockerd = await EngineUnderTest.dockerd();
  if (dockerd !== undefined) stack.use(dockerd);
  const runner = stack.use(await EngineUnderTest.runner());
  [outcomes, peers] = await Promise.all([play(runner), dockerd === undefined ? undefined : play(dockerd)]);
}, PLAY_MS);

const cases = transcript.map((step, index) => ({ index, line: `${index + 1} docker ${step.args.join(' ')}`, step }));

describe.runIf(hasClient28)('the stock docker client against a runner', () => {
  test.each(cases)('$line', ({ index, step }) => {
    const { exit = 0, stdout, stderr } = step;
    expect(outcomes[index]).toEqual({ exit, stdout: textMatcher(stdout), stderr: textMatcher(stderr) });
  });
});

/** The parts of an outcome in which no difference is declared. */
function compared(outcome: Outcome | undefined, step: Step): Partial<Outcome> {
  const entries = Object.entries(outcome ?? {}).filter(([part]) => !step.differs?.in.some((name) => name === part));
  return Object.fromEntries(entries);
}

describe.runIf(hasClient28 && dockerdIsInstalled)("the same against Debian's dockerd", () => {
  test.each(cases)('$line', ({ index, step }) => {
    expect(compared(outcomes[index], step)).toEqual(compared(peers?.[index], step));
  });
});
