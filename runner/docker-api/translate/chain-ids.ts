import { createHash } from 'node:crypto';

/** The names of the layers of an image, each with all that lie below it (OCI image-spec, config.md, "Layer ChainID"). */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    const digest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
    chain.push(below === undefined ? diffId : digest(`${below} ${diffId}`));
  }
  return chain;
}
