/** Number of single-character edits from one word to the other (Levenshtein). */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [row, left] of a.split('').entries()) {
    const current = [row + 1];
    for (const [column, right] of b.split('').entries()) {
      const change = (previous[column] ?? 0) + (left === right ? 0 : 1);
      current.push(Math.min(change, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

/** The one of the choices that was probably meant: at most two edits away, and less than half of its length. */
export function suggest(word: string, choices: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const [best] = choices
    .map((choice) => ({ choice, edits: distance(word.toLowerCase(), choice) }))
    .filter(({ choice, edits }) => edits <= 2 && edits * 2 < choice.length)
    .toSorted((a, b) => a.edits - b.edits);
  return best?.choice;
}
