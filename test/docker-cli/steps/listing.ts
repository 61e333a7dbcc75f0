import { step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';

/** What `ps` and `inspect` show, by format and filter. */
export const listingSteps: readonly Step[] = [
  step('run -d --name lister -v shelf:/shelf -l zone=north --expose 9000 busybox sleep 1000', { stdout: '<id>\n' }),
  step('create --name idle busybox true', { stdout: '<id>\n' }),
  step('ps -a --format {{.Names}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}', {
    stdout: 'idle||0|bridge\nlister|shelf|1|bridge\n',
  }),
  { args: ['ps', '--format', '{{.Labels}}|{{.Label "zone"}}'], stdout: 'zone=north|north\n' },
  step('ps --format {{.Command}}|{{.RunningFor}}', { stdout: '"sleep 1000"|<while> ago\n' }),
  {
    args: ['ps', '-a', '--format', 'table {{.Names}}\t{{.Image}}'],
    stdout: 'NAMES  IMAGE\nidle  busybox\nlister  busybox\n',
  },
  step('ps --format {{.Nonsense}}', { exit: 1, stderr: /can't evaluate field Nonsense/ }),
  step('ps -a --filter before=idle --format {{.Names}}', { stdout: 'lister\n' }),
  step('ps -a --filter since=lister --format {{.Names}}', { stdout: 'idle\n' }),
  step('ps --filter since=nosuch', { exit: 1, stderr: /no such container nosuch/ }),
  step('ps -l --format {{.Names}}|{{.State}}', { stdout: 'idle|created\n' }),
  step('ps -n 5 --format {{.Names}}', { stdout: 'idle\nlister\n' }),
  step('ps --filter network=bridge --format {{.Names}}', { stdout: 'lister\n' }),
  step('ps --filter network=nosuch -q', { stdout: '' }),
  step('ps --filter expose=9000/tcp --format {{.Names}}', { stdout: 'lister\n' }),
  step('ps --filter publish=9000 -q', { stdout: '' }),
  step('ps --filter volume=/shelf --format {{.Names}}', { stdout: 'lister\n' }),
  step('ps --filter name=^/lis --format {{.Names}}', { stdout: 'lister\n' }),
  step('ps -a --filter status=created --filter status=running --format {{.Names}}', { stdout: 'idle\nlister\n' }),
  step('ps -a --filter label=zone --filter name=idle -q', { stdout: '' }),
  step('ps --filter nonsense=1', {
    exit: 1,
    stderr: /invalid filter 'nonsense'/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('ps -a --filter exited=abc', {
    exit: 1,
    stderr: /invalid filter 'exited=abc': .*invalid syntax/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('ps -as --filter name=lister --format {{.Names}}|{{.Size}}', { stdout: /^lister\|0B \(virtual .*B\)\n$/ }),
  step('inspect --size --format {{.SizeRw}} lister', { stdout: '0\n' }),
  {
    args: ['inspect', '--format', '{{range .Mounts}}{{.Type}}:{{.Name}}:{{.Destination}}:{{.RW}}{{end}}', 'lister'],
    stdout: 'volume:shelf:/shelf:true\n',
  },
  step('inspect --type volume --format {{.Name}} shelf', { stdout: 'shelf\n' }),
  step('inspect --type network --format {{.Driver}} bridge', { stdout: 'bridge\n' }),
  step('inspect --type image --format {{.Architecture}} busybox', { stdout: /^(amd64|arm64)\n$/ }),
  step('inspect --type container busybox', { exit: 1, stdout: '[]\n', stderr: /No such container: busybox/ }),
  step('inspect --format {{.Name}} lister shelf bridge', { stdout: '/lister\nshelf\nbridge\n' }),
  step('inspect --format {{.State.Pid}} idle', { stdout: '0\n' }),
  step('inspect --format {{.HostConfig.NetworkMode}}|{{.HostConfig.IpcMode}}|{{.HostConfig.ShmSize}} lister', {
    stdout: 'bridge|private|67108864\n',
    differs: { why: 'Debian’s dockerd is 20.10: later versions resolve “default” as we do', in: ['stdout'] },
  }),
  step('inspect --format {{.State.StartedAt}}|{{.State.FinishedAt}} idle', { stdout: '<time>|<time>\n' }),
  step('stats --no-stream --format {{.Name}}|{{.PIDs}} lister', { stdout: /^lister\|\d+\n$/ }),
  { args: ['stats', '--no-stream', '-a', '--format', '{{.Name}}|{{.NetIO}}', 'idle'], stdout: /^idle\|/ },
  step('stats --no-stream nosuch', { exit: 1, stderr: /No such container: nosuch/ }),
  step('top lister -o comm', { exit: 1, stderr: /Couldn't find PID field in ps output/ }),
  step('top lister -o nonsense', { exit: 1, stderr: /ps: error: unknown user-defined format specifier "nonsense"/ }),
  step('rm idle nosuch', { exit: 1, stdout: 'idle\n', stderr: /No such container: nosuch/ }),
  step('rm -f lister', { stdout: 'lister\n' }),
  step('volume rm shelf', { stdout: 'shelf\n' }),
];
