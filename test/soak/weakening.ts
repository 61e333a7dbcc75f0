/** One text of one file, which must be there exactly once, and what stands there instead in the weakened build. */
export interface Change {
  /** Path from the root of the repository. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A defence taken out on purpose, and the attack that must then be seen to succeed. */
export interface Weakening {
  /** For BERTH_WEAKENING. */
  readonly name: string;
  /** How the line begins that it concerns, in the table of docs/security.md. */
  readonly rule: string;
  /** What is not so in the weakened build. */
  readonly without: string;
  /** More than one where a second defence stands behind the first: no test can see either missing alone. */
  readonly changes: readonly Change[];
  readonly test: {
    readonly project: 'unit' | 'system';
    readonly file: string;
    /** A part of the test's name; of several that have it, at least one must go red. */
    readonly name: string;
  };
  /** What the failed assertion says: that the attack succeeded, not that the build is broken. */
  readonly sees: RegExp;
}
