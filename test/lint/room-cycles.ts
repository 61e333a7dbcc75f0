import { posix } from 'node:path';

/** An import of one room by another, and a file that has it. */
interface Arrow {
  readonly to: string;
  readonly file: string;
}

/** `from '…'` of imports and exports, imports for their effect alone, and imports at run time. */
const specifiers =
  /^(?:import|export)\b[^;'"]*?\bfrom '(?<from>[^']+)'|^import '(?<effect>[^']+)'|\bimport\('(?<dynamic>[^']+)'\)/gm;

/**
 * The rooms that reach themselves by imports, each with the way round: `a -> b (file) -> a (file)`. A room is a folder
 * directly below one of the tops (`runner/volume`), or a file that lies there loose.
 *
 * @param sources texts of TypeScript files by path from the repository's root, with `/`
 */
export function roomCycles(sources: ReadonlyMap<string, string>): readonly string[] {
  const arrows = new Map<string, Arrow[]>();
  for (const [file, text] of sources) {
    for (const to of importsOf(file, text)) {
      if (roomOf(to) !== roomOf(file))
        arrows.set(roomOf(file), [...(arrows.get(roomOf(file)) ?? []), { to: roomOf(to), file }]);
    }
  }
  return [...arrows.keys()].flatMap((room) => {
    const way = shortestWay(arrows, room);
    return way === undefined ? [] : [`${room} -> ${way.map(({ to, file }) => `${to} (${file})`).join(' -> ')}`];
  });
}

function roomOf(file: string): string {
  return file.split('/').slice(0, 2).join('/');
}

/** The project's own files that a file imports. */
function importsOf(file: string, text: string): readonly string[] {
  return [...text.matchAll(specifiers)].flatMap(({ groups }) => {
    const specifier = groups?.['from'] ?? groups?.['effect'] ?? groups?.['dynamic'] ?? '';
    if (specifier.startsWith('#shared/')) return [specifier.slice(1)];
    return specifier.startsWith('.') ? [posix.join(posix.dirname(file), specifier)] : [];
  });
}

/** The arrows that lead from a room back to it, breadth first. */
function shortestWay(arrows: ReadonlyMap<string, readonly Arrow[]>, room: string): readonly Arrow[] | undefined {
  const seen = new Set<string>();
  let ways: (readonly Arrow[])[] = [[]];
  while (ways.length > 0) {
    ways = ways.flatMap((way) =>
      (arrows.get(way.at(-1)?.to ?? room) ?? []).flatMap((arrow) => {
        if (seen.has(arrow.to)) return [];
        seen.add(arrow.to);
        return [[...way, arrow]];
      }),
    );
    const round = ways.find((way) => way.at(-1)?.to === room);
    if (round !== undefined) return round;
  }
  return undefined;
}
