/** A text without variables, or the first one that it has. */
export type Unescaped =
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'variable'; readonly found: string };

/**
 * A Compose text with `$$` made `$` (compose-spec, "Interpolation"). Variables are refused: a control plane has not the
 * shell whose variables would be meant.
 */
export function unescapeDollars(text: string): Unescaped {
  for (const { 0: piece } of text.matchAll(/\$(?:\$|\{[^}]{0,60}\}?|\w{0,60})/g)) {
    if (piece !== '$$') return { kind: 'variable', found: piece };
  }
  return { kind: 'plain', text: text.replaceAll('$$', () => '$') };
}
