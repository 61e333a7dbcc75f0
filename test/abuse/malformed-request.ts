import type { Random } from '../support/random.ts';
import { tar } from '../support/tar.ts';
import {
  badFilters,
  unknownFilters,
  badNames,
  configValues,
  escapingEntries,
  filterRoutes,
  hostConfigValues,
  idRoutes,
  oddEntries,
  trickyIds,
} from './malformed-values.ts';

/** A request that must be refused, as bytes for the wire. */
export interface MalformedRequest {
  /** What is wrong with it. */
  readonly kind: string;
  /** The request line's method and target, and the body's beginning, for the failure's text. */
  readonly line: string;
  readonly bytes: Buffer;
  /** The client closes its side when it has sent this, though more was announced. */
  readonly isCutOff: boolean;
  /** True when nothing but a closed connection may answer. */
  readonly mayGoUnanswered: boolean;
}

/** What exists on the engine, so that requests get beyond "there is no such thing". */
export interface Existing {
  readonly container: string;
  readonly image: string;
}

type Make = (random: Random, existing: Existing) => Partial<MalformedRequest> & { readonly bytes: Buffer };

/** Every kind of malformed request in turn, its particulars from the seed. */
export function malformedRequest(index: number, random: Random, existing: Existing): MalformedRequest {
  const names = Object.keys(kinds) as [string, ...string[]];
  const kind = names[index % names.length] ?? names[0];
  const made = (kinds[kind] ?? wrongVerb)(random, existing);
  const [head = '', body = ''] = made.bytes.subarray(0, 1000).toString('latin1').split('\r\n\r\n');
  const line = `${head.split('\r\n')[0]?.slice(0, 120)} ${body.slice(0, 120)}`;
  return { kind, line, isCutOff: false, mayGoUnanswered: false, ...made };
}

interface RequestParts {
  readonly method: string;
  readonly target: string;
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

function request({ method, target, headers = [], body }: RequestParts): Buffer {
  const content = Buffer.from(body ?? '');
  const length = body === undefined ? [] : [`Content-Length: ${content.byteLength}`];
  const head = [`${method} ${target} HTTP/1.1`, 'Host: docker', 'Connection: close', ...length, ...headers];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), content]);
}

const json = ['Content-Type: application/json'];

function post(target: string, body: string | Buffer): { readonly bytes: Buffer } {
  return { bytes: request({ method: 'POST', target, headers: json, body }) };
}

function nested(depth: number, open: string, close: string): string {
  return `${open.repeat(depth)}1${close.repeat(depth)}`;
}

function bytesOf(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

const wrongVerb: Make = (random) => {
  const method = random.pick(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']);
  const target = random.pick(['/containers/create', '/commit', '/containers/prune', '/images/load', '/auth']);
  return { bytes: request({ method, target }) };
};

const kinds: Readonly<Record<string, Make>> = {
  'wrong verb': wrongVerb,
  'unknown page': (random) => {
    const target = `/${random.pick(['', 'v1.40/', 'v1.51/'])}${random.pick(['nosuch', 'containers', 'images/', '..%2f', '%00', 'containers//json'])}`;
    return { bytes: request({ method: random.pick(['GET', 'POST']), target }) };
  },
  'version that is not spoken': (random) => {
    const version = random.pick([
      'v0.0',
      'v1.0',
      'v1.23',
      'v1.52',
      'v2.0',
      'v9.99',
      'v999.999',
      'vx.y',
      'v1',
      'v-1.40',
    ]);
    return { bytes: request({ method: 'GET', target: `/${version}/containers/json` }) };
  },
  'wrong type in Config': (random, { image }) => {
    const [name, value] = random.pick(configValues);
    return post('/containers/create', JSON.stringify({ Image: image, [name]: value }));
  },
  'wrong value in HostConfig': (random, { image }) => {
    const [name, value] = random.pick(hostConfigValues);
    return post('/containers/create', JSON.stringify({ Image: image, HostConfig: { [name]: value } }));
  },
  'a body that is another thing': (random) => {
    const target = random.pick(['/containers/create', '/networks/create', '/volumes/create'] as const);
    return post(target, random.pick(['[]', '"text"', '7', 'true', '[[[]]]', '{"Name":{},"Image":[]}']));
  },
  'a body that is no JSON': (random) => {
    const target = random.pick(['/containers/create', '/networks/create', '/volumes/create'] as const);
    return post(target, random.pick(['{', '{"Image"', "{'Image':'x'}", '<xml/>', '{"Image":"x",}', 'NaN', '\u0000']));
  },
  'bad UTF-8': (random) => {
    const text = Buffer.concat([
      Buffer.from('{"Image":"'),
      bytesOf(random, 1 + random.below(200)),
      Buffer.from('\xff\xfe"', 'latin1'),
    ]);
    return post('/containers/create', text);
  },
  'deep JSON': (random) => {
    const depth = 10_001 + random.below(100_000);
    const body = random.pick([
      nested(depth, '[', ']'),
      nested(depth, '{"HostConfig":', '}'),
      nested(depth, '{"a":[', ']}'),
    ]);
    return post(random.pick(['/containers/create', '/networks/create', '/volumes/create']), body);
  },
  'huge body': (random) => {
    const padding = Buffer.alloc(8 * 1024 * 1024 + 1 + random.below(1024 * 1024), 0x20);
    const body = Buffer.concat([Buffer.from('{"Image":"x"'), padding, Buffer.from('}')]);
    // The answer may come, and the connection end, before all of it is sent.
    return { ...post(random.pick(['/containers/create', '/networks/create']), body), mayGoUnanswered: true };
  },
  'a body cut off': (random, { image }) => {
    const target = random.pick(['/containers/create', '/images/load', '/volumes/create'] as const);
    const head = `POST ${target} HTTP/1.1\r\nHost: docker\r\nContent-Length: ${1000 + random.below(100_000)}\r\n\r\n`;
    return { bytes: Buffer.from(`${head}{"Image":"${image}",`), isCutOff: true, mayGoUnanswered: true };
  },
  'bad chunks': (random) => {
    const head = 'POST /containers/create HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n';
    const chunks = random.pick(['zz\r\n{}\r\n0\r\n\r\n', 'ffffffffffffffffff\r\n', '-1\r\n', '5\r\n{}\r\n', '1;x\n\n']);
    return { bytes: Buffer.from(head + chunks), isCutOff: true, mayGoUnanswered: true };
  },
  'two lengths': (random) => {
    const lengths = random.pick([
      'Content-Length: 5\r\nContent-Length: 6',
      'Content-Length: 5\r\nTransfer-Encoding: chunked',
    ]);
    const text = `POST /containers/create HTTP/1.1\r\nHost: docker\r\n${lengths}\r\n\r\n{"a":`;
    return { bytes: Buffer.from(text), isCutOff: true, mayGoUnanswered: true };
  },
  'no HTTP at all': (random) => {
    const bytes = random.pick([
      bytesOf(random, 1 + random.below(2000)),
      Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      Buffer.from('GET\r\n\r\n'),
      Buffer.from(`GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: docker\r\n\r\n`),
    ]);
    return { bytes, isCutOff: true, mayGoUnanswered: true };
  },
  'headers without end': (random) => {
    const lines = Array.from(
      { length: 100 + random.below(2000) },
      (_, at) => `X-${at}: ${'v'.repeat(random.below(200))}`,
    );
    const text = `GET /nosuch HTTP/1.1\r\nHost: docker\r\n${lines.join('\r\n')}\r\n\r\n`;
    return { bytes: Buffer.from(text), isCutOff: true, mayGoUnanswered: true };
  },
  'a name that is none': (random, { image }) =>
    post(`/containers/create?name=${encodeURI(random.pick(badNames))}`, JSON.stringify({ Image: image })),
  'an id with tricks': (random) => {
    const [method = 'GET', path = '/'] = random.pick(idRoutes).split(' ');
    return { bytes: request({ method, target: path.replace('{}', random.pick(trickyIds)) }) };
  },
  'a filter that is none': (random) => {
    const route = random.pick(filterRoutes);
    const isUnknown = !route.startsWith('/events') && random.next() < 0.25;
    const filters = random.pick(isUnknown ? unknownFilters : badFilters);
    const target = `${route}${route.includes('?') ? '&' : '?'}filters=${encodeURIComponent(filters)}`;
    return { bytes: request({ method: 'GET', target }) };
  },
  'a number that is none': (random, { container }) => {
    const target = random.pick([
      `/containers/${container}/resize?h=ten&w=20`,
      `/containers/${container}/stop?t=soon`,
      `/containers/${container}/restart?t=1e99`,
      `/containers/${container}/kill?signal=SIGNOTHING`,
      `/containers/${container}/kill?signal=99999`,
      `/containers/${container}/wait?condition=perhaps`,
      `/containers/${container}/attach?stream=1&stdout=1&detachKeys=ctrl-%C3%A4`,
    ]);
    return { bytes: request({ method: 'POST', target }) };
  },
  'an archive path with tricks': (random, { container }) => {
    const path = random.pick([
      '',
      '/nosuch/file',
      '/proc/1/root/../../../../nosuch',
      '/nosuch%00',
      '../../../../../../root/.nosuch',
      `/${'a/'.repeat(3000)}`,
      `/${'a'.repeat(300)}`,
    ]);
    const query = path === '' ? '' : `?path=${path}`;
    return {
      bytes: request({ method: random.pick(['GET', 'HEAD']), target: `/containers/${container}/archive${query}` }),
    };
  },
  'an archive that is none': (random, { container }) => {
    const target = `/containers/${container}/archive?path=/tmp`;
    return { bytes: request({ method: 'PUT', target, body: bytesOf(random, 512 * (1 + random.below(8))) }) };
  },
  'an archive that leads elsewhere': (random, { container }) => {
    const odd = Array.from({ length: random.below(4) }, () => random.pick(oddEntries));
    const archive = tar([...odd, ...random.pick(escapingEntries)]);
    const cut = random.below(4) === 0 ? archive.subarray(0, archive.byteLength - 512) : archive;
    const target = `/containers/${container}/archive?path=${random.pick(['/', '/tmp', '/tmp/'])}`;
    return { bytes: request({ method: 'PUT', target, body: cut }) };
  },
  'an image that is none': (random) => {
    const bytes = random.pick([bytesOf(random, 512 * (1 + random.below(20))), Buffer.alloc(10_240)]);
    return { bytes: request({ method: 'POST', target: '/images/load?quiet=1', body: bytes }) };
  },
  'an exec that is none': (random, { container }) => {
    const body = random.pick([
      '{}',
      '{"Cmd":[]}',
      '{"Cmd":"text"}',
      '{"Cmd":[1]}',
      '{"Cmd":["true"],"Env":7}',
      '{"Cmd":["true"],"DetachKeys":"ctrl-"}',
    ]);
    return post(`/containers/${container}/exec`, body);
  },
  'an update that is none': (random, { container }) =>
    post(
      `/containers/${container}/update`,
      random.pick([
        '{"Memory":"x"}',
        '{"Memory":1}',
        '{"RestartPolicy":{"Name":"x"}}',
        '{"CpusetCpus":7}',
        '{"NanoCpus":-1}',
        '[]',
      ]),
    ),
  'a network that is none': (random) =>
    post(
      '/networks/create',
      random.pick([
        '{}',
        '{"Name":""}',
        '{"Name":"x","Driver":"nosuch"}',
        '{"Name":"x","IPAM":{"Config":[{"Subnet":"1.2.3.4/99"}]}}',
        '{"Name":"x","IPAM":{"Config":[{"Gateway":"x"}]}}',
        '{"Name":"x/../y","IPAM":7}',
        '{"Name":"bridge"}',
        '{"Name":"x","Options":["a"]}',
      ]),
    ),
  'a volume that is none': (random) =>
    post(
      '/volumes/create',
      random.pick([
        '{"Name":"../x"}',
        '{"Name":"/etc"}',
        '{"Name":"a b"}',
        '{"Name":"x","Driver":"nosuch"}',
        '{"Name":"x","DriverOpts":{"nosuch":"1"}}',
        '{"Name":"x","Labels":["a"]}',
        `{"Name":"${'v'.repeat(300)}"}`,
      ]),
    ),
  'a commit that is none': (random, { container }) => {
    const target = random.pick([
      '/commit',
      '/commit?container=nosuch',
      `/commit?container=${container}&repo=UPPER`,
      `/commit?container=${container}&changes=RUN%20true`,
      `/commit?container=${container}&changes=NOSUCH%20x`,
      `/commit?container=${container}&repo=x&tag=%2F..`,
    ]);
    return { bytes: request({ method: 'POST', target, headers: json, body: '{}' }) };
  },
};
