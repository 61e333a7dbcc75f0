import { expect, test } from 'vitest';
import { defaultName, parseRunnerCommand } from './options.ts';

test('a run has defaults beneath its data root, and absolute paths', () => {
  expect(parseRunnerCommand([])).toEqual({
    kind: 'run',
    standalone: false,
    dataRoot: '/var/lib/berth',
    socketPath: '/run/berth/docker.sock',
    logFormat: 'text',
    containers: { init: false, runtimes: { configured: [] } },
    containerLog: { driver: 'json-file', options: {} },
  });
  const given = parseRunnerCommand([
    '--standalone',
    '--data-root',
    'x',
    '--socket=/run/s',
    '--log-format',
    'json',
    '--log-driver',
    'local',
    '--log-opt',
    'max-size=1m',
  ]);
  expect(given).toEqual({
    kind: 'run',
    standalone: true,
    dataRoot: `${process.cwd()}/x`,
    socketPath: '/run/s',
    logFormat: 'json',
    containers: { init: false, runtimes: { configured: [] } },
    containerLog: { driver: 'local', options: { 'max-size': '1m' } },
  });
  expect(parseRunnerCommand(['--userns-remap', 'kiel:kiel', '--init'])).toMatchObject({
    containers: { init: true, usernsRemap: 'kiel:kiel' },
  });
});

test('join takes a URL, a token and a name', () => {
  expect(parseRunnerCommand(['join', 'http://x', '--token', 't', '--name', 'kiel', '--data-root', '/d'])).toEqual({
    kind: 'join',
    url: 'http://x',
    token: 't',
    name: 'kiel',
    dataRoot: '/d',
  });
  expect([defaultName('Kiel_01.example.org'), defaultName('-x-'), defaultName('ÄÖ')]).toEqual(['kiel-01', 'x', '']);
});

test.each([
  [['--log-driver', 'syslog'], "logger: no log driver named 'syslog' is registered"],
  [['--log-opt', 'max-size'], '--log-opt max-size is not NAME=VALUE'],
  [['--log-driver', 'local', '--log-opt', 'tag=x'], "unknown log opt 'tag' for log driver local"],
  [['dance'], '"dance" is no command of berth runner'],
  [['--dance'], "Unknown option '--dance'"],
  [['join'], 'join: the URL of the control plane is missing'],
  [['join', 'http://x'], 'join: --token TOKEN is missing'],
  [['join', 'http://x', 'y', '--token', 't'], 'join: one URL, not also y'],
  [['join', 'http://x', '--token', 't', '--standalone'], 'join: --standalone is no option of it'],
  [['--token', 't'], '--token belongs to `berth runner join`'],
  [['--log-format', 'xml'], '--log-format xml is neither text nor json'],
  [['--socket', `/${'x'.repeat(107)}`], 'is over 107 bytes'],
])('%j is refused', (argv, text) => {
  expect(() => parseRunnerCommand(argv)).toThrow(text);
});

test('leave takes what it may remove, and nothing else', () => {
  const nothing = { kind: 'leave', dataRoot: '/var/lib/berth', all: false, purge: false };
  expect(parseRunnerCommand(['leave'])).toEqual(nothing);
  expect(parseRunnerCommand(['leave', '--data-root=/d', '--all', '--purge'])).toEqual({
    ...nothing,
    dataRoot: '/d',
    all: true,
    purge: true,
  });
  expect(() => parseRunnerCommand(['leave', 'now'])).toThrow('leave: unexpected argument "now"');
  expect(() => parseRunnerCommand(['leave', '--token', 't'])).toThrow('leave: --token is no option of it');
  expect(() => parseRunnerCommand(['--purge'])).toThrow('--purge belongs to `berth runner leave`');
  expect(() => parseRunnerCommand(['join', 'u', '--token', 't', '--all'])).toThrow('join: --all is no option of it');
});
