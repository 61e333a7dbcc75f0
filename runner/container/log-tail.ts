import type { FileHandle } from 'node:fs/promises';
import { decompressed } from './log-compression.ts';
import type { LogFile, LogFiles } from './log-files.ts';

const newline = 0x0a;
const chunkBytes = 64 * 1024;

/** A place in a log: a file, by its position in the list, and a byte offset in it. */
export interface LogPosition {
  readonly file: number;
  readonly offset: number;
}

/** How many of the lines wanted a file has, and where the first of them begins. */
interface LastLines {
  readonly lines: number;
  readonly offset: number;
}

/**
 * Where the last `count` lines of the files begin, found from the end backwards: only the lines asked for are read, in
 * pieces of 64 KiB; a compressed file can be read forwards only, so all of it is. Offsets are in what a file holds.
 */
export async function tailPosition(log: LogFiles, count: number): Promise<LogPosition> {
  const { files } = log;
  let missing = count;
  for (let file = files.length - 1; file >= 0; file -= 1) {
    const entry = files[file];
    if (entry === undefined) break;
    if (missing === 0)
      return file + 1 < files.length ? { file: file + 1, offset: 0 } : { file, offset: entry.sizeBytes };
    const found = await lastLines(log, entry, missing);
    if (found === undefined) return { file: file + 1, offset: 0 }; // deleted since, and so is all that is older
    missing -= found.lines;
    if (missing === 0) return { file, offset: found.offset };
  }
  return { file: 0, offset: 0 };
}

async function lastLines(log: LogFiles, file: LogFile, count: number): Promise<LastLines | undefined> {
  const open = await log.open(file);
  if (open === undefined) return undefined;
  const { handle } = open;
  await using _ = handle;
  if (open.compressed) return await lastCompressedLines(handle, count);
  const chunk = Buffer.alloc(chunkBytes);
  // Newlines end lines: the one that ends the last line wanted is the `count + 1`th from the end.
  let newlines = 0;
  for (let end = file.sizeBytes; end > 0;) {
    const start = Math.max(0, end - chunkBytes);
    const { bytesRead } = await handle.read(chunk, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at -= 1) {
      if (chunk[at] !== newline) continue;
      newlines += 1;
      if (newlines > count) return { lines: count, offset: start + at + 1 };
    }
    end = start;
  }
  return { lines: newlines, offset: 0 };
}

async function lastCompressedLines(handle: FileHandle, count: number): Promise<LastLines> {
  const starts: number[] = [0];
  let offset = 0;
  for await (const piece of decompressed(handle)) {
    for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, at + 1)) starts.push(offset + at + 1);
    offset += piece.byteLength;
  }
  const lines = starts.length - 1;
  return { lines: Math.min(lines, count), offset: starts[Math.max(0, lines - count)] ?? 0 };
}
