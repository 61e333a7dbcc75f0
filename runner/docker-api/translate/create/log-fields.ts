import { z } from 'zod';
import { works, type FieldEffects } from './field-effect.ts';

/** Where a container's output is kept. */
export const logHostFields: FieldEffects = {
  LogConfig: works(
    'the shim writes it (json-file, local, none), the runner compresses it',
    'test/engine/logging.test.ts',
  ),
};

export const logHostShape = {
  LogConfig: z.object({ Type: z.string().nullish(), Config: z.record(z.string(), z.string()).nullish() }).nullish(),
};
