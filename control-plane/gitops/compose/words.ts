/**
 * The words of a command line, as Compose splits a `command` given as text: blanks separate, quotes and backslash keep
 * (POSIX shell, "Quoting"); nothing is expanded. Undefined when a quote is not closed or a backslash is the last character.
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (quote === "'") {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '\\' && (quote === '' || '"\\$`\n'.includes(next))) {
      if (next === '') return undefined;
      word = (word ?? '') + (next === '\n' ? '' : next);
      at += 1;
    } else if (quote === '"') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '') return undefined;
  return word === undefined ? words : [...words, word];
}
