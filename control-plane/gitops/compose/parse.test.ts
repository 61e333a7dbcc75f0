import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BerthError } from '#shared/errors.ts';
import { serviceSpec, stackConfig } from '#shared/model/service.ts';
import { parseCompose } from './parse.ts';

const parse = (text: string) => parseCompose(text, 'shop');

/** A service with these lines below it. */
const service = (...lines: string[]) =>
  parse(`services:\n  web:\n    image: hello:1\n${lines.map((line) => `    ${line}\n`).join('')}`).services[0];

/** What is wrong, as `line:column message`. */
function findings(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== 'compose.invalid') throw error;
    return error.locations.map((place) => `${place.line ?? ''}:${place.column ?? ''} ${place.message}`);
  }
  return [];
}

const inService = (...lines: string[]) =>
  findings(`services:\n  web:\n    image: hello:1\n${lines.map((line) => `    ${line}\n`).join('')}`);

test('the whole supported subset is read', () => {
  const text = `
name: shop
version: "3.8"
x-anything: { goes: [1, 2] }
services:
  worker:
    image: docker.io/library/hello@sha256:${'0'.repeat(64)}
    entrypoint: ["/bin/sh", "-c"]
    command: echo "a b" 'c d' e\\ f
    environment: [A=1, "B=x=y", EMPTY=]
    restart: on-failure:3
  web:
    image: hello:1
    command: [serve, 80]
    environment:
      PORT: 80
      RATIO: 1.10
      DEBUG: true
      PRICE: "5$$"
    ports:
      - "8080:80"
      - 5353:53/udp
      - "9000-9001:90-91"
      - { target: 443, published: "8443", protocol: tcp }
    deploy: { replicas: 3 }
    restart: "no"
    healthcheck:
      test: wget -q localhost
      interval: 1m30s
      timeout: 5s
      retries: 2
      start_period: 0s
    labels: [a.b=c, bare]
    x-berth: { on_disconnect: stop-after 60s }
`;
  expect(parse(text)).toEqual({
    name: 'shop',
    services: [
      {
        name: 'web',
        replicas: 3,
        container: {
          image: 'hello:1',
          command: ['serve', '80'],
          environment: { PORT: '80', RATIO: '1.10', DEBUG: 'true', PRICE: '5$' },
          labels: { 'a.b': 'c', bare: '' },
          ports: [
            { protocol: 'tcp', hostPort: 8080, containerPort: 80 },
            { protocol: 'udp', hostPort: 5353, containerPort: 53 },
            { protocol: 'tcp', hostPort: 9000, containerPort: 90 },
            { protocol: 'tcp', hostPort: 9001, containerPort: 91 },
            { protocol: 'tcp', hostPort: 8443, containerPort: 443 },
          ],
          restart: { kind: 'no' },
          healthcheck: {
            command: ['/bin/sh', '-c', 'wget -q localhost'],
            intervalMs: 90_000,
            timeoutMs: 5000,
            retries: 2,
            startPeriodMs: 0,
          },
        },
        onDisconnect: { kind: 'stop-after', afterMs: 60_000 },
      },
      {
        name: 'worker',
        replicas: 1,
        container: {
          image: `docker.io/library/hello@sha256:${'0'.repeat(64)}`,
          entrypoint: ['/bin/sh', '-c'],
          command: ['echo', 'a b', 'c d', 'e f'],
          environment: { A: '1', B: 'x=y', EMPTY: '' },
          labels: {},
          ports: [],
          restart: { kind: 'on-failure', maxRetries: 3 },
        },
        onDisconnect: { kind: 'replace-after', afterMs: 60_000 },
      },
    ],
  });
});

test('what is read fits the model that revisions store', () => {
  const config = parse('services: { b: { image: x }, a: { image: y, restart: always } }');
  expect(stackConfig.parse(config)).toEqual(config);
});

test('healthcheck forms', () => {
  expect(service('healthcheck: { test: [CMD, a, b] }')?.container.healthcheck).toMatchObject({ command: ['a', 'b'] });
  expect(service('healthcheck: { test: [CMD-SHELL, "a b"] }')?.container.healthcheck).toMatchObject({
    command: ['/bin/sh', '-c', 'a b'],
  });
  expect(service('healthcheck: { test: [NONE] }')?.container.healthcheck).toBe('disabled');
  expect(service('healthcheck: { disable: true }')?.container.healthcheck).toBe('disabled');
  expect(inService('healthcheck: { interval: 5s }')).toEqual([
    '4:18 services.web.healthcheck: test is needed: the command that tells whether it is healthy',
  ]);
  expect(inService('healthcheck: { test: a, interval: soon, retries: 0, start_interval: 1s }')).toEqual([
    '4:39 services.web.healthcheck.interval: "soon" is not a duration; write one such as 30s or 1m30s',
    '4:54 services.web.healthcheck.retries: expected a whole number from 1 to 1000, found 0',
    '4:57 services.web.healthcheck.start_interval: this key is not supported; supported here: test, interval, timeout, retries, start_period, disable',
  ]);
});

test('on_disconnect forms', () => {
  expect(service('x-berth: { on_disconnect: keep }')?.onDisconnect).toEqual({ kind: 'keep' });
  expect(service('x-berth: { on_disconnect: replace-after 2m }')?.onDisconnect).toEqual({
    kind: 'replace-after',
    afterMs: 120_000,
  });
  expect(inService('x-berth: { on_disconnect: later }')).toEqual([
    '4:31 services.web.x-berth.on_disconnect: expected keep, "replace-after DURATION" or "stop-after DURATION", found "later"',
  ]);
});

test('anchors, aliases and merges are followed', () => {
  const config = parse(`
x-base: &base { image: hello:1, environment: &env { A: "1" } }
services:
  a: { <<: *base, restart: always }
  b: { <<: [*base], environment: { <<: *env, B: "2" } }
  c: *base
`);
  expect(config.services.map((one) => [one.name, one.container.restart.kind, one.container.environment])).toEqual([
    ['a', 'always', { A: '1' }],
    ['b', 'unless-stopped', { A: '1', B: '2' }],
    ['c', 'unless-stopped', { A: '1' }],
  ]);
});

test.each([
  ['', ['1:1 expected a mapping of name, services, version, found nothing']],
  ['[]', ['1:1 expected a mapping of name, services, version, found a list']],
  ['services: {}', ['1:11 services: at least one service is needed, under services']],
  ['name: shop', ['1:1 at least one service is needed, under services']],
  [
    'services:\n  web:',
    [
      '2:7 services.web: expected a mapping of image, command, entrypoint, environment, ports, deploy, restart, healthcheck, labels, x-berth, found nothing',
    ],
  ],
  [
    'services:\n  Web: { image: a }',
    ['2:3 services.Web: the name of a service must be 1 to 63 of a-z, 0-9 and "-", with no "-" at either end'],
  ],
  ['services:\n  web: { command: a }', ['2:3 services.web: image is needed; images are not built from a Compose file']],
  ['services: { web: { image: [a] } }', ['1:27 services.web.image: expected the name of an image, found a list']],
  ['services: { web: { image: 1 } }', ['1:27 services.web.image: expected the name of an image, found 1']],
  ['services: { web: { image: "a b" } }', ['1:27 services.web.image: image reference "a b": invalid reference format']],
  ['name: other\nservices: { web: { image: a } }', ['1:7 name: the file is named other, but is applied as stack shop']],
  [
    'name: shop\nvolumes: {}\nservices: { web: { image: a } }',
    ['2:1 volumes: this key is not supported; supported here: name, services, version'],
  ],
  [
    'servises:\n  web: {}',
    [
      '1:1 servises: this key is not supported; did you mean services?',
      '1:1 at least one service is needed, under services',
    ],
  ],
  [
    'services:\n  a: { image: x, ports: ["80:80"] }\n  b: { image: x, ports: ["80:81"] }',
    ['3:3 services.b: host port 80/tcp is published by service a already'],
  ],
])('a file that is wrong as a whole: %j', (text, expected) => {
  expect(findings(text)).toEqual(expected);
});

test.each([
  [
    'volumes: [a:/b]',
    '4:5 services.web.volumes: this key is not supported; supported here: image, command, entrypoint, environment, ports, deploy, restart, healthcheck, labels, x-berth',
  ],
  ['comand: a', '4:5 services.web.comand: this key is not supported; did you mean command?'],
  [
    'x-other: 1',
    '4:5 services.web.x-other: this key is not supported; supported here: image, command, entrypoint, environment, ports, deploy, restart, healthcheck, labels, x-berth',
  ],
  ['image: again', '4:5 services.web.image: this key is there twice'],
  ['command: "a \'b"', '4:14 services.web.command: a quote is not closed, or a backslash ends the text'],
  ['command: { a: b }', '4:14 services.web.command: expected a text or a list of texts, found a mapping'],
  ['command: [a, [b]]', '4:18 services.web.command[1]: expected a text, number or boolean, found a list'],
  ['command: "a\\0b"', '4:14 services.web.command: a text must not hold a NUL character'],
  [
    'environment: [A]',
    '4:19 services.web.environment[0]: A has no value; values are not taken from a shell, write one ("" for an empty one)',
  ],
  [
    'environment: { A: }',
    '4:23 services.web.environment.A: A has no value; values are not taken from a shell, write one ("" for an empty one)',
  ],
  ['environment: { A: [1] }', '4:23 services.web.environment.A: expected a text, number or boolean, found a list'],
  ['environment: [=x]', '4:19 services.web.environment[0]: "" is not a name'],
  [
    'environment: { A: "${HOME:-x}" }',
    '4:23 services.web.environment.A: ${HOME:-x}: variables are not supported; write $$ for a literal $',
  ],
  ['command: echo $HOME', '4:14 services.web.command: $HOME: variables are not supported; write $$ for a literal $'],
  [
    'ports: ["80"]',
    '4:13 services.web.ports[0]: 80: a host port is needed, as in "8080:80"; random host ports are not supported',
  ],
  [
    'ports: [80]',
    '4:13 services.web.ports[0]: 80: a host port is needed, as in "8080:80"; random host ports are not supported',
  ],
  [
    'ports: ["127.0.0.1:80:80"]',
    '4:13 services.web.ports[0]: 127.0.0.1:80:80: a host IP is not supported; ports are published on all addresses',
  ],
  ['ports: ["80:80/sctp"]', '4:13 services.web.ports[0]: 80:80/sctp: the protocol must be tcp or udp'],
  [
    'ports: ["0:80"]',
    '4:13 services.web.ports[0]: 0:80 is not a port mapping; write "HOST:CONTAINER", ports from 1 to 65535',
  ],
  [
    'ports: ["80:70000"]',
    '4:13 services.web.ports[0]: 80:70000 is not a port mapping; write "HOST:CONTAINER", ports from 1 to 65535',
  ],
  ['ports: ["80-82:80-81"]', '4:13 services.web.ports[0]: 80-82:80-81: both ranges must have the same length'],
  ['ports: ["1-9999:1-9999"]', '4:13 services.web.ports[0]: a service may publish 256 ports at most'],
  ['ports: ["80:80", "80:81"]', '4:22 services.web.ports[1]: host port 80/tcp is published twice'],
  [
    'ports: [{ target: 80 }]',
    '4:13 services.web.ports[0]: target and published are needed; random host ports are not supported',
  ],
  [
    'ports: [{ target: 80, published: 80, host_ip: "::1" }]',
    '4:42 services.web.ports[0].host_ip: this key is not supported; supported here: target, published, protocol',
  ],
  ['ports: "80:80"', '4:12 services.web.ports: expected a list of ports such as "8080:80", found "80:80"'],
  [
    'deploy: { replicas: many }',
    '4:25 services.web.deploy.replicas: expected a whole number from 0 to 10000, found "many"',
  ],
  [
    'deploy: { replicas: 1.5 }',
    '4:25 services.web.deploy.replicas: expected a whole number from 0 to 10000, found 1.5',
  ],
  ['deploy: { mode: global }', '4:15 services.web.deploy.mode: this key is not supported; supported here: replicas'],
  [
    'restart: false',
    '4:14 services.web.restart: expected "no", always, unless-stopped, on-failure or on-failure:COUNT, found false',
  ],
  [
    'restart: on-failure:0',
    '4:14 services.web.restart: on-failure:0 is not a restart policy: "no", always, unless-stopped, on-failure[:COUNT]',
  ],
  ['labels: 1', '4:13 services.web.labels: expected a mapping or a list of NAME=value, found 1'],
])('a service that is wrong: %s', (line, expected) => {
  expect(inService(line)).toEqual([expected]);
});

test('bad YAML is told with its line', () => {
  expect(findings('services:\n  web: [\n')[0]).toMatch(/^3:1 not YAML: /);
  expect(findings('services:\n\tweb: 1\n')[0]).toMatch(/^2:1 not YAML: /);
  expect(findings('services: *none')).toEqual(['1:11 services: the alias *none has no anchor']);
});

test('all that is wrong is told at once, up to 20 findings in order of their lines', () => {
  const lines = Array.from({ length: 30 }, (_, index) => `  s${index}: { imagee: a${index} }`);
  const found = findings(`services:\n${lines.join('\n')}\n`);
  expect(found.length).toBe(20);
  expect(found[0]).toMatch(/^2:3 /);
  expect(() => parse(`services:\n${lines.slice(0, 2).join('\n')}`)).toThrowError(
    expect.objectContaining({
      message: 'compose.yaml:2:3: services.s0: image is needed; images are not built from a Compose file (and 3 more)',
      remedy: 'Correct the file; docs/compose.md lists what is supported.',
    }),
  );
});

test('a file that grows by its aliases, merges itself or is nested deeply comes to an end', () => {
  const levels = Array.from({ length: 9 }, (_, n) => `x-${n + 1}: &a${n + 1} [${`*a${n},`.repeat(9)}]`);
  expect(findings(`x-0: &a0 [x]\n${levels.join('\n')}\nservices: { w: { image: a, command: *a9 } }`).length).toBe(9);
  expect(findings('services: &s { w: { <<: *s, image: a } }').length).toBeGreaterThan(0);
  expect(findings(`services:\n  ${'['.repeat(100_000)}`)).toEqual([
    '2:67 not YAML that can be read: nested too deeply',
  ]);
  expect(findings('- '.repeat(100_000))).toEqual(['1:129 not YAML that can be read: nested too deeply']);
  expect(findings('a: 1\n'.repeat(200_000))[0]).toMatch(/ too many keys and values for one file/);
  expect(findings('services: {' + 'a: 1,'.repeat(200_000) + '}')[0]).toMatch(/^1:\d+ too many keys and values/);
  const variables = Array.from({ length: 10_000 }, (_, n) => `  A${n}: b`).join('\n');
  const repeated = Array.from({ length: 1500 }, (_, n) => `  s${n}: { image: x, environment: *e }`).join('\n');
  expect(findings(`x-e: &e\n${variables}\nservices:\n${repeated}`).at(-1)).toMatch(/grows too much/);
  const words = Array.from({ length: 1500 }, (_, n) => `  s${n}: { image: x, command: *e }`).join('\n');
  expect(findings(`x-e: &e ${'a'.repeat(900_000)}\nservices:\n${words}`).at(-1)).toMatch(/grows too much/);
  const keys = Array.from({ length: 20_000 }, (_, n) => `  s${n}: {}`); // quadratic work would not end in the test's time
  expect(findings(`services:\n${keys.join('\n')}`).length).toBe(20);
  const merges = Array.from({ length: 30 }, (_, n) => `x-${n + 1}: &m${n + 1} { <<: [*m${n}, *m${n}] }`);
  expect(findings(`x-0: &m0 { image: a }\n${merges.join('\n')}\nservices: { w: *m30 }`).length).toBeGreaterThan(0);
});

test('another name than the one in the file is taken when that is asked for', () => {
  const text = 'name: other\nservices: { web: { image: a } }';
  expect(parseCompose(text, 'shop', { overrideName: true }).name).toBe('shop');
  expect(() => parseCompose(text.replace('other', '"-"'), 'shop', { overrideName: true })).toThrow('must be 1 to 63');
});

test('what no host could take is refused', () => {
  const service = (rest: string) => findings(`services:\n  web: { image: a, ${rest} }`);
  const long = '9'.repeat(400);
  expect(service(`healthcheck: { test: x, interval: ${long}h }`)[0]).toMatch(/ is longer than 24 days$/);
  expect(service('healthcheck: { test: x, interval: 25d }')[0]).toMatch(/is not a duration/);
  expect(service('x-berth: { on_disconnect: stop-after 600h }')[0]).toMatch(/600h is longer than 24 days$/);
  expect(service('environment: { __proto__: x }')[0]).toMatch(/"__proto__" is not a name$/);
  expect(service(`environment: { A: ${'a'.repeat(131_072)} }`)[0]).toMatch(/over the limit of 131072 characters$/);
});

function outcomeOf(text: string) {
  try {
    return parse(text).services;
  } catch (error) {
    if (error instanceof BerthError) return error;
    throw error;
  }
}

test('any text is a configuration or a named error', () => {
  const word = fc.constantFrom(
    'services',
    'web',
    ':',
    '\n',
    '  ',
    '- ',
    'image',
    'a',
    '[',
    ']',
    '{',
    '}',
    '&x',
    '*x',
    '<<',
    '"',
    '$',
    '80:80',
    'ports',
    '!!binary',
    '? ',
    '|',
    '#',
    '---',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), (words) => {
      const text = words.join(' ');
      const outcome = outcomeOf(text);
      expect(outcome instanceof BerthError || outcome.every((one) => serviceSpec.safeParse(one).success)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
