import { CST, Lexer } from 'yaml';

/** Collections that may stand in each other on one line, or in brackets. */
const MAX_DEPTH = 64;

/** Tokens of one file: 2,000 services of 15 lines have fewer, and a parser needs about a second for so many. */
const MAX_TOKENS = 250_000;

const ZERO_WIDTH: ReadonlySet<string> = new Set([CST.DOCUMENT, CST.FLOW_END, CST.SCALAR]);

/** What no Compose file has, and where it begins, as an offset. */
export interface Excess {
  readonly offset: number;
  readonly message: string;
}

/**
 * The first place where a text is beyond what any Compose file is; undefined when it is not. A parser spends many
 * seconds on a megabyte of brackets or of short keys: this looks at the tokens alone, before it, and stops there.
 */
export function findExcess(text: string): Excess | undefined {
  let offset = 0;
  let tokens = 0;
  let brackets = 0;
  let onLine = 0;
  for (const lexeme of new Lexer().lex(text)) {
    switch (CST.tokenType(lexeme)) {
      case 'flow-seq-start':
      case 'flow-map-start':
        brackets += 1;
        break;
      case 'flow-seq-end':
      case 'flow-map-end':
        brackets -= 1;
        break;
      case 'seq-item-ind':
      case 'explicit-key-ind':
      case 'map-value-ind':
        if (brackets <= 0) onLine += 1;
        break;
      case 'newline':
        onLine = 0;
        break;
      default:
        break;
    }
    tokens += 1;
    if (brackets > MAX_DEPTH || onLine > MAX_DEPTH) {
      return { offset, message: 'not YAML that can be read: nested too deeply' };
    }
    if (tokens > MAX_TOKENS) {
      return { offset, message: `too many keys and values for one file (over ${MAX_TOKENS} tokens)` };
    }
    if (!ZERO_WIDTH.has(lexeme)) offset += lexeme.length;
  }
  return undefined;
}
