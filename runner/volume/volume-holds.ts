/** Who keeps a volume there, by its name, before a record says so; one can hold it several times. */
export class VolumeHolds {
  readonly #holders = new Map<string, readonly string[]>();

  has(name: string): boolean {
    return this.#holders.has(name);
  }

  of(name: string): readonly string[] {
    return this.#holders.get(name) ?? [];
  }

  add(name: string, holder: string): void {
    this.#holders.set(name, [...this.of(name), holder]);
  }

  /** One hold of that holder. */
  drop(name: string, holder: string): void {
    const left = [...this.of(name)];
    left.splice(left.indexOf(holder), 1);
    if (left.length === 0) this.#holders.delete(name);
    else this.#holders.set(name, left);
  }
}
