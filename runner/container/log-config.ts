import { z } from 'zod';

/** A logging driver with its options, as Docker names them. */
export const logConfig = z.object({
  driver: z.enum(['json-file', 'local', 'none']),
  options: z.record(z.string(), z.string()),
});
export type LogConfig = z.infer<typeof logConfig>;

/** Where a container's output is kept: a part of its config. */
export const logShape = {
  /** Absent: json-file in four files of 16 MiB. */
  log: logConfig.optional(),
};
