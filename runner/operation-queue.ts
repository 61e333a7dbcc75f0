/**
 * Runs operations on one key one after the other, in the order in which they were asked for; different keys at once.
 * Nothing is kept of a key whose operations have ended.
 */
export class OperationQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(key: string, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const result = before.then(operation, operation);
    // The chain itself never rejects: a failed operation is its caller's to handle and does not stop the next one.
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(key, settled);
    void settled.then(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    return result;
  }

  /** Resolves when no operation is under way or waiting. */
  async idle(): Promise<void> {
    while (this.#last.size > 0) await Promise.all(this.#last.values());
  }
}
