import { refused, type FieldEffects } from './field-effect.ts';

/** Where a container's output is kept. */
export const logHostFields: FieldEffects = {
  LogConfig: refused('the log is json-file with its defaults', { Type: 'json-file' }, { Type: '' }),
};

export const logHostShape = {};
