/** Tells what the demo does: numbered headings, what was typed and what came back, and how long each step took. */
export class Narrator {
  #count = 0;
  readonly #bold = process.stdout.isTTY ? (text: string): string => `\u001B[1m${text}\u001B[0m` : String;

  /** Runs one step under its heading. */
  async step<Result>(title: string, act: () => Promise<Result>): Promise<Result> {
    this.#count += 1;
    this.say(this.#bold(`\n== ${this.#count}. ${title}`));
    const start = performance.now();
    const result = await act();
    this.say(`   done in ${((performance.now() - start) / 1000).toFixed(1)} s`);
    return result;
  }

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** A command as one would type it, and what it printed. */
  typed(command: string, output: string): void {
    this.say(`   $ ${command}`);
    for (const line of output.trimEnd().split('\n')) if (line !== '') this.say(`   ${line}`);
  }
}
