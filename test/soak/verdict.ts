/** What vitest's JSON reporter writes, as far as it is read here. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[] | null;
    }[];
  }[];
}

export interface Verdict {
  readonly passed: number;
  /** What failed assertions say. */
  readonly assertions: readonly string[];
  /** What went wrong otherwise: a hook, a time limit, an error that no assertion caught. */
  readonly crashes: readonly string[];
}

/** How the tests that ran have ended; pure. */
export function verdictOf({ testResults }: VitestReport): Verdict {
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  const messages = results
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => (failureMessages ?? [`${fullName} failed without a word`]).join('\n'));
  return {
    passed: results.filter(({ status }) => status === 'passed').length,
    assertions: messages.filter(isAssertion),
    crashes: [
      ...messages.filter((message) => !isAssertion(message)),
      ...testResults.flatMap(({ message }) => (message === '' ? [] : [message])),
    ],
  };
}

/** What `rejects`, `resolves` and `poll` throw is a plain Error. */
function isAssertion(message: string): boolean {
  return /^AssertionError|^Error: [^]*__VITEST_(REJECTS|RESOLVES|POLL_CHAIN)__/.test(message);
}
