import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EngineUnderTest, type Outcome } from './engine.ts';
import { normalise } from './normalise.ts';
import type { Step } from './step.ts';
import { transcript } from './transcript.ts';

let outcomes: readonly Outcome[] = [];
let peers: readonly Outcome[] | undefined;

async function play(engine: EngineUnderTest): Promise<readonly Outcome[]> {
  const all: Outcome[] = [];
  for (const step of transcript) {
    const { exit, stdout, stderr } = await engine.run(step);
    all.push({ exit, stdout: normalise(stdout), stderr: normalise(stderr) });
  }
  return all;
}

/** The two engines share nothing, so the two plays go on at once. */
beforeAll(async () => {
  await using stack = new AsyncDisposableStack();
  const dockerd = await EngineUnderTest.dockerd();
  if (dockerd !== undefined) stack.use(dockerd);
  const runner = stack.use(await EngineUnderTest.runner());
  [outcomes, peers] = await Promise.all([play(runner), dockerd === undefined ? undefined : play(dockerd)]);
});

afterAll(() => {
  expect(transcript.length).toBeGreaterThanOrEqual(60);
});

const cases = transcript.map((step, index) => ({ index, line: `${index + 1} docker ${step.args.join(' ')}`, step }));

describe('the stock docker client against a runner', () => {
  test.each(cases)('$line', ({ index, step }) => {
    const outcome = outcomes[index];
    const context = JSON.stringify(outcome);
    expect(outcome?.exit, context).toBe(step.exit ?? 0);
    expectText(outcome?.stdout, step.stdout, context);
    expectText(outcome?.stderr, step.stderr, context);
  });
});

function expectText(actual: string | undefined, expected: Step['stdout'], context: string): void {
  if (expected === undefined) return;
  if (typeof expected === 'string') expect(actual, context).toBe(expected);
  else expect(actual, context).toMatch(expected);
}

describe("the same against Debian's dockerd", () => {
  test.each(cases)('$line', ({ index, step, skip }: (typeof cases)[number] & { skip?: never }) => {
    void skip;
    const [outcome, peer] = [outcomes[index], peers?.[index]];
    if (peer === undefined) return; // dockerd is not installed
    for (const part of ['exit', 'stdout', 'stderr'] as const) {
      if (step.differs?.in.includes(part) === true) continue;
      expect({ [part]: outcome?.[part] }, step.args.join(' ')).toEqual({ [part]: peer[part] });
    }
  });
});
