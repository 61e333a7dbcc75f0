import { expect, test } from 'vitest';
import { MAX_TIMER_MS } from '#shared/duration.ts';
import { containerSpec } from '#shared/model/service.ts';
import type { ImageConfig } from '#shared/oci/image-config.ts';
import { configFromImage } from './from-image.ts';

const identity = { name: 'web-1', publishGroup: 'web' };

function config(image: NonNullable<ImageConfig['config']>, spec: Record<string, unknown> = {}) {
  return configFromImage(
    {
      id: 'sha256:1',
      config: { architecture: 'amd64', os: 'linux', config: image, rootfs: { type: 'layers', diff_ids: [] } },
    },
    containerSpec.parse({ image: 'hello:1', ...spec }),
    identity,
  );
}

const image = { Entrypoint: ['/entry'], Cmd: ['serve', '--all'] };

test.each([
  ['nothing', {}, ['/entry', 'serve', '--all']],
  ['a command', { command: ['check'] }, ['/entry', 'check']],
  ['an entrypoint', { entrypoint: ['/own'] }, ['/own']],
  ['both', { entrypoint: ['/own'], command: ['check'] }, ['/own', 'check']],
  ['an empty entrypoint', { entrypoint: [] }, ['serve', '--all']],
  ['an empty word as entrypoint', { entrypoint: [''], command: ['/bin/sh'] }, ['/bin/sh']],
  ['an empty command', { command: [] }, ['/entry', 'serve', '--all']],
])('args with %s of the service', (_, spec, args) => {
  expect(config(image, spec).args).toEqual(args);
});

test('no command anywhere is an error that names the image', () => {
  expect(() => config({})).toThrow(
    expect.objectContaining({ code: 'container.no-command', message: 'Image "hello:1" names no command to run' }),
  );
});

test('the service overrides variables and labels by name', () => {
  const merged = config(
    { ...image, Env: ['PATH=/bin', 'MODE=image', 'FLAG'], Labels: { a: 'image', b: 'image' } },
    { environment: { MODE: 'service' }, labels: { b: 'service' } },
  );
  expect(merged.environment).toEqual(['MODE=service', 'PATH=/bin', 'FLAG']);
  expect(merged.labels).toEqual({ a: 'image', b: 'service' });
});

test("user, directory and stop signal are the image's", () => {
  const merged = config({ ...image, User: 'app:app', WorkingDir: '/srv', StopSignal: 'SIGQUIT' });
  expect(merged).toMatchObject({ user: 'app:app', workingDirectory: '/srv', stopSignal: 'SIGQUIT' });
  expect(config(image)).toMatchObject({ user: '', workingDirectory: '', stopSignal: 'SIGTERM' });
});

test("an image's health check is in nanoseconds; NONE is none; the service's own replaces it", () => {
  const Healthcheck = { Test: ['CMD-SHELL', 'wget -q -O- localhost'], Interval: 5_000_000_000, Retries: 0 };
  expect(config({ ...image, Healthcheck }).healthcheck).toEqual({
    command: ['/bin/sh', '-c', 'wget -q -O- localhost'],
    intervalMs: 5000,
    timeoutMs: 30_000,
    retries: 3,
    startPeriodMs: 0,
  });
  expect(config({ ...image, Healthcheck: { Test: ['NONE'] } }).healthcheck).toBeUndefined();
  expect(config({ ...image, Healthcheck }, { healthcheck: { command: ['true'] } }).healthcheck?.command).toEqual([
    'true',
  ]);
  expect(config({ ...image, Healthcheck }, { healthcheck: 'disabled' }).healthcheck).toBeUndefined();
  const hundredDays = { ...Healthcheck, Interval: 8_640_000_000_000_000, Timeout: 8_640_000_000_000_000 };
  expect(config({ ...image, Healthcheck: hundredDays }).healthcheck).toMatchObject({
    intervalMs: MAX_TIMER_MS,
    timeoutMs: MAX_TIMER_MS,
  });
});
