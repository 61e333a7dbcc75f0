import { BerthError } from '#shared/errors.ts';

/** A change instruction that cannot be read, in Docker's words. */
export function badChange(message: string): BerthError {
  return new BerthError('invalid', 'image.change-invalid', message);
}

/** `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` at the start of the text, and how long that is. */
function variable(
  text: string,
  environment: ReadonlyMap<string, string>,
): { value: string; length: number } | undefined {
  const plain = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text);
  if (plain !== null) return { value: environment.get(plain[1] ?? '') ?? '', length: plain[0].length };
  const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+])([^}]*))?\}/.exec(text);
  if (braced === null) return undefined;
  const [whole, name = '', operator = '', word = ''] = braced;
  const value = environment.get(name);
  const set = value !== undefined && (!operator.startsWith(':') || value !== '');
  const length = whole.length;
  if (operator.endsWith('-')) return { value: set ? value : word, length };
  if (operator.endsWith('+')) return { value: set ? word : '', length };
  return { value: value ?? '', length };
}

/**
 * The words of an instruction by the rules of a Dockerfile: blanks part them, quotes and backslashes keep them, variables
 * are replaced but within single quotes.
 *
 * @throws BerthError `image.change-invalid` for a quote that is not closed
 */
export function changeWords(text: string, environment: ReadonlyMap<string, string>): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    const found = character === '$' && quote !== "'" ? variable(text.slice(at), environment) : undefined;
    if (found !== undefined) {
      word = (word ?? '') + found.value;
      at += found.length - 1;
    } else if (character === '\\' && quote !== "'" && at + 1 < text.length) {
      const next = text.charAt(at + 1);
      // Within double quotes a backslash stands for itself, but before these.
      word = (word ?? '') + (quote === '"' && !'"$\\'.includes(next) ? `\\${next}` : next);
      at += 1;
    } else if (quote !== '' ? character === quote : character === '"' || character === "'") {
      quote = quote === '' ? character : '';
      word ??= '';
    } else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (quote !== '') throw badChange('unexpected end of statement while looking for matching quote');
  if (word !== undefined) words.push(word);
  return words;
}

/** A list of texts in JSON's form; undefined when it is none, and so a text for the shell. */
export function jsonWords(text: string): readonly string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((entry) => typeof entry === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}
