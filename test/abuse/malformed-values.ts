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
  ['Devices', [{ PathOnHost: '/nonexistent/device', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }]],
  ['DeviceCgroupRules', ['c 1:3']],
  ['Sysctls', { 'kernel.panic': '1' }],
  ['NetworkMode', 'container:'],
  ['NetworkMode', 'no such network'],
  ['PidMode', 'container:nosuch'],
  ['IpcMode', 'borrowed'],
  ['UTSMode', 'mine'],
  ['OomScoreAdj', 5000],
  ['Runtime', 'nosuch'],
  ['LogConfig', { Type: 'carrier-pigeon' }],
  ['LogConfig', { Type: 'json-file', Config: { 'max-size': 'huge' } }],
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
  '0',
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
  '[1,2,3]',
  '"text"',
  '{"nosuchfilter":["x"]}',
  '{"nosuchfilter":{"x":true}}',
  `{"${'a'.repeat(2000)}":["x"]}`,
];
