import { appendFileSync } from 'node:fs';
import { after, emptyWorld, type Operation, type World } from './world.ts';

/**
 * A line of the journal, in the order in which it was written. It is outside of the machine whose power is lost: what was
 * answered before the loss is in it.
 */
export type Line =
  | { readonly worker: number; readonly asked: Operation }
  | { readonly worker: number; readonly answered: true }
  | { readonly worker: number; readonly refused: string }
  /** What there is after a loss of power, with what was under way decided. */
  | { readonly worker: number; readonly settled: World };

/** What the journal says of one worker. */
export interface Told {
  readonly world: World;
  /** It was asked for and not answered. */
  readonly underWay: Operation | undefined;
  readonly answered: number;
  readonly refused: readonly string[];
}

export function write(path: string, line: Line): void {
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}

/** @param text of the journal, whose last line may be half */
export function read(text: string, workers: number): readonly Told[] {
  const nothing: Told = { world: emptyWorld, underWay: undefined, answered: 0, refused: [] };
  const told = Array.from({ length: workers }, () => nothing);
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = JSON.parse(line) as Line;
    told[entry.worker] = next(told[entry.worker] ?? nothing, entry);
  }
  return told;
}

function next(told: Told, line: Line): Told {
  if ('asked' in line) return { ...told, underWay: line.asked };
  const over = { ...told, underWay: undefined };
  if ('settled' in line) return { ...over, world: line.settled };
  const { underWay } = told;
  if ('refused' in line) {
    return { ...over, refused: [...told.refused, `${JSON.stringify(underWay)}: ${line.refused}`] };
  }
  if (underWay === undefined) throw new Error('the journal has an answer to nothing');
  return { ...over, world: after(told.world, underWay), answered: told.answered + 1 };
}
