import type { TarEntry } from '../support/tar.ts';

type List<Value = string> = readonly [Value, ...Value[]];
type Field = readonly [name: string, value: unknown];

/** Fields of a creation, and what none of them takes. */
export const configValues: List<Field> = [
  ['Env', 'text'],
  ['Cmd', 7],
  ['Entrypoint', { a: 1 }],
  ['Tty', 'yes'],
  ['OpenStdin', 3],
  ['Labels', ['a']],
  ['StopTimeout', 'soon'],
  ['User', 12],
  ['WorkingDir', []],
  ['Healthcheck', 'CMD true'],
  ['ExposedPorts', [80]],
];

/** The same of HostConfig. */
export const hostConfigValues: List<Field> = [
  ['Memory', 'much'],
  ['Memory', 1.5],
  ['PidsLimit', 'ten'],
  ['Ulimits', [{ Name: 1 }]],
  ['PortBindings', { '80/tcp': 'all' }],
  ['PortBindings', { '80/tcp': [{ HostPort: '99999' }] }],
  ['PortBindings', { 'eighty/tcp': [{}] }],
  ['RestartPolicy', 'always'],
  ['RestartPolicy', { Name: 'sometimes' }],
  ['RestartPolicy', { Name: 'always', MaximumRetryCount: -1 }],
  ['AutoRemove', 'true'],
  ['ReadonlyRootfs', 1],
  ['SecurityOpt', 'seccomp'],
  ['SecurityOpt', ['nonsense=1']],
  ['SecurityOpt', ['seccomp={"defaultAction":']],
  ['ShmSize', -1],
  ['CapAdd', ['CAP_EVERYTHING']],
  ['Binds', ['relative/../path:/x']],
  ['Binds', ['/a:b']],
  ['Binds', [':::::']],
  ['Binds', ['/etc:/x:flying']],
  ['Mounts', [{ Type: 'teleport', Target: '/x' }]],
  ['Mounts', [{ Type: 'bind', Source: '', Target: '/x' }]],
  ['Mounts', [{ Type: 'bind', Source: '/nonexistent/source', Target: '/x' }]],
  ['Mounts', [{ Type: 'volume', Source: '../escape', Target: '/x' }]],
  ['Tmpfs', { relative: 'size=1m' }],
  ['DeviceCgroupRules', ['c 1:3']],
  ['NetworkMode', 'container:'],
  ['PidMode', 'container:nosuch'],
  ['IpcMode', 'borrowed'],
  ['UTSMode', 'mine'],
  ['OomScoreAdj', 5000],
  ['Runtime', 'nosuch'],
  ['LogConfig', { Type: 'carrier-pigeon' }],
  ['Dns', ['not an address']],
  ['ExtraHosts', ['nothing']],
  ['VolumesFrom', ['nosuch']],
];

/** Names that no container can have. */
export const badNames: List = ['..', '.', '-x', 'a/b', 'ä', 'a b', '////', '%00'];

/** Operations on something by its id, `{}`. */
export const idRoutes: List = [
  'GET /containers/{}/json',
  'GET /containers/{}/logs?stdout=1',
  'POST /containers/{}/start',
  'POST /containers/{}/stop',
  'POST /containers/{}/kill',
  'POST /containers/{}/rename?name=x',
  'POST /containers/{}/wait',
  'DELETE /containers/{}',
  'GET /containers/{}/stats?stream=0',
  'GET /containers/{}/export',
  'GET /containers/{}/archive?path=/',
  'GET /images/{}/json',
  'DELETE /images/{}',
  'GET /networks/{}',
  'GET /volumes/{}',
  'GET /exec/{}/json',
];

export const trickyIds: List = [
  '..',
  '%2e%2e',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '%00',
  '%ff%fe',
  '%',
  '%zz',
  'a'.repeat(5000),
  "'%20or%201=1--",
  '${HOME}',
  '$(reboot)',
  '__proto__',
  'constructor',
  'no-hexadecimal-digits',
  '-1',
  '%0d%0aX-Evil:%201',
];

export const filterRoutes: List = ['/containers/json', '/images/json', '/networks', '/volumes', '/events?until=1'];

export const badFilters: List = [
  'x',
  '[',
  '{"status":',
  '{"status":7}',
  '{"status":{"a":"b"}}',
  '{"status":[7]}',
  '{"label":"a=b"}',
  '[1,2,3]',
  '"text"',
];

/** What GET /events passes over, as dockerd does there and nowhere else. */
export const unknownFilters: List = [
  '{"nosuchfilter":["x"]}',
  '{"nosuchfilter":{"x":true}}',
  `{"${'a'.repeat(2000)}":["x"]}`,
];

/** What an archive that leads out of its directory would make, so that nobody has to guess where. */
export const escapedName = 'berth-abuse-escaped';

/** Entries that an archive may have; each stays in the directory. */
export const oddEntries: List<TarEntry> = [
  { name: `/${escapedName}`, content: 'absolute' },
  { name: `//tmp//./${escapedName}`, content: 'absolute' },
  { name: escapedName, type: '3', device: [8, 0] },
  { name: escapedName, type: '4', device: [7, 0] },
  { name: escapedName, type: '6' },
  { name: `inner/${escapedName}`, content: 'inner' },
  { name: 'inner', type: '2', link: '../../../../../../../../tmp' },
  { name: `${'deep/'.repeat(100)}file`, content: 'deep' },
  { name: './', type: '5', mode: 0o7777 },
];

/** Entries of which the last must be refused. */
export const escapingEntries: List<readonly TarEntry[]> = [
  [{ name: `../${escapedName}`, content: 'up' }],
  [{ name: `a/../../../../../../../../tmp/${escapedName}`, content: 'up' }],
  [{ name: `/../${escapedName}`, content: 'up' }],
  [{ name: `../${escapedName}`, type: '5' }],
  [{ name: `../${escapedName}`, type: '4', device: [1, 3] }],
  [{ name: `../${escapedName}`, type: '2', link: '/' }],
  [{ name: escapedName, type: '1', link: '../../../../etc/hostname' }],
  [{ name: escapedName, type: '1', link: '/nosuch/file' }],
  [
    { name: 'out', type: '2', link: '/nosuch/directory' },
    { name: `out/${escapedName}`, content: 'through a link' },
  ],
  [{ name: 'n'.repeat(300), content: 'long' }],
  [{ name: `${'deep/'.repeat(2000)}file`, content: 'deep' }],
];
