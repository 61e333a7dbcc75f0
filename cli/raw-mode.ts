import type { Terminal } from './terminal.ts';

/** The size of a terminal; undefined when standard output is none. */
export function terminalSize({ output }: Terminal): { readonly columns: number; readonly rows: number } | undefined {
  const { columns, rows } = output;
  return columns === undefined || rows === undefined || columns === 0 || rows === 0 ? undefined : { columns, rows };
}

/** Puts the terminal of standard input in raw mode until it is disposed of, whatever happens in between. */
export function rawMode({ input }: Terminal): Disposable {
  const restore = (): void => {
    input.setRawMode?.(false);
  };
  process.once('exit', restore); // also when something throws past every handler
  input.setRawMode?.(true);
  return {
    [Symbol.dispose]: () => {
      process.removeListener('exit', restore);
      restore();
    },
  };
}
