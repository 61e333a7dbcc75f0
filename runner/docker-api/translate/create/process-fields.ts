import { z } from 'zod';
import { noEffect, transcript, works, type FieldEffects } from './field-effect.ts';

const texts = z.array(z.string()).nullish();
const windows = noEffect('only dockerd on Windows heeds it');

/** What runs: command, environment, user, health, restart. */
export const processConfigFields: FieldEffects = {
  User: works('looked up in the container by the launcher', transcript),
  AttachStdin: noEffect('the attach itself decides'),
  AttachStdout: noEffect('the attach itself decides'),
  AttachStderr: noEffect('the attach itself decides'),
  Tty: works('a pseudo-terminal as stdio', transcript),
  OpenStdin: works('standard input is kept open', transcript),
  StdinOnce: works('standard input ends with the first client that is attached to it', transcript),
  Env: works('environment, upon the image’s', transcript),
  Cmd: works('arguments, upon the image’s', transcript),
  Healthcheck: works('the health monitor', transcript),
  ArgsEscaped: windows,
  Image: works('the root file system and the defaults of this table', transcript),
  WorkingDir: works('working directory, made when it is not there', transcript),
  Entrypoint: works('arguments, upon the image’s', transcript),
  OnBuild: noEffect('for builds alone'),
  Labels: works('kept, shown, filtered by', transcript),
  StopSignal: works('stop', transcript),
  StopTimeout: works('stop', transcript),
  Shell: noEffect('for builds alone'),
};

export const processHostFields: FieldEffects = {
  ContainerIDFile: noEffect('the client writes it'),
  RestartPolicy: works('the restart policy', transcript),
  AutoRemove: works('removed at its end, also by the next runner', transcript),
  ConsoleSize: noEffect('the client sets the size when it is attached'),
  Annotations: noEffect('told again by inspect'),
  GroupAdd: works('additional groups of the first process', transcript),
  Init: works('an init as first process; without a word, as the runner’s --init says', 'test/engine/isolation.test.ts'),
  Isolation: works('an error for any but the default, as from dockerd on Linux', transcript),
};

export const processConfigShape = {
  User: z.string().nullish(),
  AttachStdin: z.boolean().nullish(),
  Tty: z.boolean().nullish(),
  OpenStdin: z.boolean().nullish(),
  StdinOnce: z.boolean().nullish(),
  Env: texts,
  Cmd: z.union([texts, z.string()]),
  Entrypoint: z.union([texts, z.string()]),
  Healthcheck: z
    .object({
      Test: texts,
      Interval: z.int().nullish(), // nanoseconds, as the others
      Timeout: z.int().nullish(),
      StartPeriod: z.int().nullish(),
      StartInterval: z.int().nullish(),
      Retries: z.int().nullish(),
    })
    .nullish(),
  Image: z.string().nullish(),
  WorkingDir: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  StopSignal: z.string().nullish(),
  StopTimeout: z.int().nullish(),
};

export const processHostShape = {
  RestartPolicy: z.object({ Name: z.string().nullish(), MaximumRetryCount: z.int().nullish() }).nullish(),
  AutoRemove: z.boolean().nullish(),
  GroupAdd: texts,
  Init: z.boolean().nullish(),
  Isolation: z.string().nullish(),
};
