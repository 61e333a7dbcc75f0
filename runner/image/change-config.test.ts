import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changeConfig, type RunConfig } from './change-config.ts';
import { BerthError } from '#shared/errors.ts';

test.each<[string, RunConfig]>([
  ['CMD ["a", "b c"]', { Cmd: ['a', 'b c'] }],
  ['CMD a "b c"', { Cmd: ['/bin/sh', '-c', 'a "b c"'] }],
  ['cmd [not json', { Cmd: ['/bin/sh', '-c', '[not json'] }],
  ['ENV A=1 B="two words" C=$A', { Env: ['X=x', 'A=1', 'B=two words', 'C='] }],
  ['ENV A two words', { Env: ['X=x', 'A=two words'] }],
  ["ENV A='$X' B=${X}y C=${N:-none} D=\\$X", { Env: ['X=x', 'A=$X', 'B=xy', 'C=none', 'D=$X'] }],
  ['ENV X=y', { Env: ['X=y'] }],
  [
    'EXPOSE 80 53/udp 100-102',
    { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '100/tcp': {}, '101/tcp': {}, '102/tcp': {} } },
  ],
  ['LABEL a=b "c d"=e', { Labels: { a: 'b', 'c d': 'e' } }],
  ['ONBUILD RUN make', { OnBuild: ['RUN make'] }],
  ['STOPSIGNAL SIGINT', { StopSignal: 'SIGINT' }],
  ['USER app:staff', { User: 'app:staff' }],
  ['VOLUME /a /b', { Volumes: { '/a': {}, '/b': {} } }],
  ['VOLUME ["/a b"]', { Volumes: { '/a b': {} } }],
  ['WORKDIR sub/../dir', { WorkingDir: '/srv/dir' }],
  ['WORKDIR /top', { WorkingDir: '/top' }],
  ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
  [
    'HEALTHCHECK --interval=1m30s --retries=3 CMD curl localhost',
    { Healthcheck: { Test: ['CMD-SHELL', 'curl localhost'], Interval: 90e9, Retries: 3 } },
  ],
  ['HEALTHCHECK CMD ["true"]', { Healthcheck: { Test: ['CMD', 'true'] } }],
])('%s', (text, expected) => {
  const before: RunConfig = { Env: ['X=x'], WorkingDir: '/srv' };
  expect(changeConfig(before, [text])).toEqual({ ...before, ...expected });
});

test('an entry point takes the command away, unless it was changed before', () => {
  expect(changeConfig({ Cmd: ['x'] }, ['ENTRYPOINT ["e"]'])).toEqual({ Entrypoint: ['e'], Cmd: null });
  expect(changeConfig({}, ['CMD ["c"]', 'ENTRYPOINT ["e"]'])).toEqual({ Entrypoint: ['e'], Cmd: ['c'] });
});

test('comments and lines that go on', () => {
  expect(changeConfig({}, ['# nothing\nLABEL a=1 \\\n  b=2'])).toEqual({ Labels: { a: '1', b: '2' } });
});

test.each([
  ['RUN make', 'RUN is not a valid change command'],
  ['constructor x', 'constructor is not a valid change command'],
  ['ENV=COLOUR=red', 'ENV=COLOUR=red is not a valid change command'],
  ['EXPOSE x', 'invalid containerPort: x'],
  ['EXPOSE 80/x', 'invalid proto: x'],
  ['ENV A', 'ENV must have two arguments'],
  ['LABEL a="b', 'unexpected end of statement while looking for matching quote'],
  ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
  ['USER', 'USER requires at least one argument'],
  ['HEALTHCHECK RUN', 'Unknown type "RUN" in HEALTHCHECK (try CMD)'],
])('%s is refused', (text, message) => {
  expect(() => changeConfig({}, [text])).toThrow(message);
});

test('whatever is written is a config or an error of ours', () => {
  const name = fc.constantFrom('CMD', 'ENV', 'LABEL', 'EXPOSE', 'HEALTHCHECK', 'WORKDIR', 'VOLUME', 'USER');
  const isOurs = (lines: readonly (readonly [string, string])[]): boolean => {
    try {
      changeConfig(
        {},
        lines.map(([instruction, rest]) => `${instruction} ${rest}`),
      );
      return true;
    } catch (error) {
      return error instanceof BerthError;
    }
  };
  expect(() => fc.assert(fc.property(fc.array(fc.tuple(name, fc.string())), isOurs))).not.toThrow();
});
