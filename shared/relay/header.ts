import { z } from 'zod';
import { objectId } from '../model/names.ts';

const terminalSize = z.object({ columns: z.int().min(1).max(65_535), rows: z.int().min(1).max(65_535) });

/**
 * What a stream of a relay is for: the JSON payload of OPEN.
 *
 * - `exec`: client's data is stdin, host's data is stdout (or the terminal). The host opens a `stderr` stream beside
 *   it unless `tty`; the client may open a `control` stream. The host's END trailer is `execTrailer`.
 * - `logs`: host's data is stdout's log text; a `stderr` stream beside it. The host ENDs when there is no more.
 * - `image-load`: client's data is the archive; the host sends `progress` lines (JSON) as its data and ENDs with
 *   `imageLoadTrailer`.
 */
export const streamHeader = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('exec'),
    taskId: objectId,
    command: z.array(z.string()).min(1),
    tty: z.boolean(),
    /** False: the process reads end of file at once. */
    stdin: z.boolean(),
    size: terminalSize.optional(),
    environment: z.record(z.string(), z.string()).default({}),
    user: z.string().optional(),
    workingDirectory: z.string().optional(),
  }),
  z.object({
    type: z.literal('logs'),
    taskId: objectId,
    follow: z.boolean(),
    /** Only the last so many lines; all when absent. */
    tail: z.int().min(0).optional(),
    sinceMs: z.int().optional(),
    timestamps: z.boolean(),
  }),
  z.object({ type: z.literal('image-load') }),
  z.object({ type: z.literal('stderr'), of: z.int() }),
  z.object({ type: z.literal('control'), of: z.int() }),
]);
export type StreamHeader = z.infer<typeof streamHeader>;

/** One newline-ended JSON line of a `control` stream. */
export const controlLine = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('resize'), size: terminalSize }),
  z.object({ kind: z.literal('signal'), signal: z.string() }),
]);
export type ControlLine = z.infer<typeof controlLine>;

export const execTrailer = z.object({ exitCode: z.int() });
export const imageLoadTrailer = z.object({
  images: z.array(z.object({ id: z.string(), references: z.array(z.string()) })),
});
/** One newline-ended JSON line of an `image-load` stream's host side. */
export const imageLoadProgress = z.object({ message: z.string(), doneBytes: z.int().optional() });

/** What the control plane allows a relay to carry; the host refuses every OPEN beyond it. */
export const relayGrant = z.discriminatedUnion('type', [
  z.object({ type: z.literal('exec'), taskId: objectId }),
  z.object({ type: z.literal('logs'), taskId: objectId }),
  z.object({ type: z.literal('image-load') }),
]);
export type RelayGrant = z.infer<typeof relayGrant>;
