import type { ImageRecord } from '../../image/store.ts';
import { booleanFilter, passes, passesLabels, type Filters } from './filters.ts';
import { familiar } from './image-document.ts';
import { untilMs } from './until-filter.ts';

export const imageFilterNames = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

/** The images that a list with these filters shows, newest first. Times are Unix milliseconds. */
export function chosenImages(
  images: readonly ImageRecord[],
  filters: Filters,
  { createdAt, now }: { readonly createdAt: (reference: string) => number; readonly now: number },
): readonly ImageRecord[] {
  const until = untilMs(filters, now) ?? Number.POSITIVE_INFINITY;
  const dangling = booleanFilter(filters, 'dangling');
  return images.filter(
    (image) =>
      (dangling === undefined || dangling === (image.references.length === 0)) &&
      image.createdAtMs <= until &&
      passes(filters, 'reference', (value) =>
        image.references.some((name) => referenceMatches(familiar(name), value)),
      ) &&
      passes(filters, 'before', (value) => image.createdAtMs < createdAt(value)) &&
      passes(filters, 'since', (value) => image.createdAtMs > createdAt(value)) &&
      passesLabels(filters, image.config.config?.Labels ?? {}),
  );
}

/** Go's path.Match on the short name, with its tag or without. */
function referenceMatches(name: string, pattern: string): boolean {
  const expression = new RegExp(
    `^${pattern
      .replaceAll(/[.+^$()|{}\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
  );
  return expression.test(name) || expression.test(name.replace(/:[^/:]*$/, ''));
}
