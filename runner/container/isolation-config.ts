import { z } from 'zod';

/** What a container is kept from: a part of its config. Defaults are Docker's. */
export const isolationShape = {
  readonlyRootfs: z.boolean().default(false),
  noNewPrivileges: z.boolean().default(false),
};

const isolationConfig = z.object(isolationShape);
export type IsolationConfig = z.infer<typeof isolationConfig>;
