/**
 * Bounds what is under way at once, in all and for each asker, so that one container cannot use up what all have.
 * Invariant: what is taken and not given back is counted, nothing else is kept.
 */
export class Slots {
  readonly #total: number;
  readonly #each: number;
  readonly #taken = new Map<string, number>();
  #count = 0;

  constructor(limits: { readonly total: number; readonly each: number }) {
    this.#total = limits.total;
    this.#each = limits.each;
  }

  /** Takes one, until it is disposed; undefined when there is none left for this asker. */
  take(asker: string): Disposable | undefined {
    const own = this.#taken.get(asker) ?? 0;
    if (this.#count >= this.#total || own >= this.#each) return undefined;
    this.#count += 1;
    this.#taken.set(asker, own + 1);
    let isTaken = true;
    return {
      [Symbol.dispose]: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#count -= 1;
        const left = (this.#taken.get(asker) ?? 1) - 1;
        if (left === 0) this.#taken.delete(asker);
        else this.#taken.set(asker, left);
      },
    };
  }
}
