/** One command of the transcript, and what must come of it. Times, ids and the like are normalised first. */
export interface Step {
  /** Arguments of `docker`. */
  readonly args: readonly string[];
  readonly input?: string;
  /** Default 0. */
  readonly exit?: number;
  readonly stdout?: string | RegExp;
  readonly stderr?: string | RegExp;
  /** Files made beforehand in the directory where the client runs, which all steps of an engine share. */
  readonly files?: Readonly<Record<string, string>>;
  /** Run on a terminal of its own; both streams are then stdout. */
  readonly terminal?: boolean;
  /** Typed on that terminal, each once the text before it was seen and the client reads single keys. */
  readonly keys?: readonly (readonly [after: string, keys: string])[];
  /** Sent to the client once the text was seen on its standard output, and the other on its standard error. */
  readonly signal?: { readonly after: string; readonly afterError?: string; readonly name: NodeJS.Signals };
  /** The lines of standard output come in any order: they are sorted first. */
  readonly sorted?: boolean;
  /** Ended by SIGKILL after so long, for a command of which nothing is to be seen; its exit code is not looked at. */
  readonly forMs?: number;
  /** Why dockerd answers otherwise, and in what. What is not named is compared. */
  readonly differs?: {
    readonly why: string;
    readonly in: readonly ('exit' | 'stdout' | 'stderr')[];
  };
}

/** A step from words without spaces. */
export function step(words: string, rest: Omit<Step, 'args'> = {}): Step {
  return { args: words.split(' '), ...rest };
}

/** A step whose last argument is a script for `sh -c`. */
export function script(words: string, text: string, rest: Omit<Step, 'args'> = {}): Step {
  return { args: [...words.split(' '), 'sh', '-c', text], ...rest };
}

/** A script that ends once the condition of the container's shell holds. */
export function until(condition: string): string {
  return `until ${condition}; do sleep 0.05; done`;
}
