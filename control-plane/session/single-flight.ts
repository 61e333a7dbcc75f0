/**
 * A job that runs once at a time and forgets no request.
 *
 * Invariants: at most one run is under way; a request made during a run causes exactly one more run after it, however
 * many requests there were; `request()` settles with the first run that began after it was made.
 */
export class SingleFlight {
  readonly #run: () => Promise<void>;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(run: () => Promise<void>) {
    this.#run = run;
  }

  /** Resolves when a run that began after this call has ended; rejects with that run's error. */
  request(): Promise<void> {
    if (this.#next !== undefined) return this.#next;
    if (this.#current === undefined) return this.#start();
    this.#next = this.#after(this.#current);
    return this.#next;
  }

  async #after(current: Promise<void>): Promise<void> {
    await current.catch(() => undefined); // its own requesters were told
    this.#next = undefined;
    await this.#start();
  }

  #start(): Promise<void> {
    const run = this.#run().finally(() => {
      if (this.#current === run) this.#current = undefined;
    });
    this.#current = run;
    return run;
  }
}
