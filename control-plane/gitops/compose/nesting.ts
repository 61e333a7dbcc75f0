import { CST, Lexer } from 'yaml';

/** Collections that may stand in each other on one line, or in brackets. */
const MAX_DEPTH = 64;

const ZERO_WIDTH: ReadonlySet<string> = new Set([CST.DOCUMENT, CST.FLOW_END, CST.SCALAR]);

/**
 * Where a text nests deeper than any Compose file does, as an offset; undefined when it does not. A parser spends seconds
 * on a megabyte of brackets: this looks at the tokens alone, before it.
 */
export function excessiveNesting(text: string): number | undefined {
  let offset = 0;
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
    if (brackets > MAX_DEPTH || onLine > MAX_DEPTH) return offset;
    if (!ZERO_WIDTH.has(lexeme)) offset += lexeme.length;
  }
  return undefined;
}
