import { step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const namedToo = 'Debian’s dockerd is 20.10: its API, before 1.42, prunes named volumes too, and knows no --all';

/** What nothing needs, taken away. */
export const pruneSteps: readonly Step[] = [
  step('run --name dead -l keep=no busybox true'),
  step('run -d --name alive busybox sleep 1000', { stdout: '<id>\n' }),
  step('container prune -f --filter until=1h', { stdout: 'Total reclaimed space: 0B\n' }),
  step('container prune -f --filter label=keep=yes', { stdout: 'Total reclaimed space: 0B\n' }),
  step('container prune -f --filter label!=keep=no', { stdout: 'Total reclaimed space: 0B\n' }),
  step('container prune -f --filter label=keep', {
    stdout: 'Deleted Containers:\n<id>\n\nTotal reclaimed space: 0B\n',
  }),
  step('ps -a --format {{.Names}}', { stdout: 'alive\n' }),
  step('container prune --filter nonsense=1 -f', {
    exit: 1,
    stderr: /invalid filter 'nonsense'/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  // Volumes
  step('volume create -d local --label keep=yes kept', { stdout: 'kept\n' }),
  step('run --name loose -v /anonymous busybox touch /anonymous/x'),
  step('rm loose', { stdout: 'loose\n' }),
  step('volume ls -q --filter dangling=true --filter label=keep', { stdout: 'kept\n' }),
  step('volume prune -f --filter label!=keep', { stdout: 'Deleted Volumes:\n<id>\n\nTotal reclaimed space: 0B\n' }),
  step('volume ls -q', { stdout: 'kept\n' }),
  step('volume prune -f', { stdout: 'Total reclaimed space: 0B\n', differs: { why: namedToo, in: ['stdout'] } }),
  step('volume create kept', { stdout: 'kept\n' }),
  step('volume prune -f -a', {
    stdout: 'Deleted Volumes:\nkept\n\nTotal reclaimed space: 0B\n',
    differs: { why: namedToo, in: ['exit', 'stdout', 'stderr'] },
  }),
  step('volume rm -f kept', { stdout: 'kept\n' }),
  // Networks
  step('network create --label keep=no spare', { stdout: '<id>\n' }),
  step('network create busy', { stdout: '<id>\n' }),
  step('network connect busy alive'),
  step('network ls -q --filter dangling=true', {
    stdout: '<id>\n',
    differs: { why: 'dockerd’s list does not know of containers, so it shows each network', in: ['stdout'] },
  }),
  step('network prune -f --filter until=1h', { stdout: '' }),
  step('network prune -f', { stdout: 'Deleted Networks:\nspare\n\n' }),
  step('network ls --filter type=custom --format {{.Name}}', { stdout: 'busy\n' }),
  // Images
  step('commit alive', { stdout: 'sha256:<digest>\n' }),
  step('images -q --filter dangling=true', { stdout: '<id>\n' }),
  step('image prune -f', {
    stdout: /^Deleted Images:\ndeleted: sha256:<digest>\n[^]*\nTotal reclaimed space: 0B\n$/,
    differs: { why: 'the directory in which a start makes /etc/hosts is in the layer of a commit', in: ['stdout'] },
  }),
  step('tag busybox spare:1'),
  step('image prune -af --filter label=none', { stdout: 'Total reclaimed space: 0B\n' }),
  step('rmi spare:1', { stdout: 'Untagged: spare:1\n' }),
  // All at once
  step('create --name dead busybox true', { stdout: '<id>\n' }),
  step('network create spare', { stdout: '<id>\n' }),
  step('system df --format {{.Type}}|{{.TotalCount}}|{{.Active}}', {
    stdout: 'Images|1|1\nContainers|2|1\nLocal Volumes|0|0\nBuild Cache|0|0\n',
  }),
  step('system prune -f', {
    stdout: 'Deleted Containers:\n<id>\n\nDeleted Networks:\nspare\n\nTotal reclaimed space: 0B\n',
  }),
  step('ps -a --format {{.Names}}', { stdout: 'alive\n' }),
  step('rm -f alive', { stdout: 'alive\n' }),
  step('network rm busy', { stdout: 'busy\n' }),
];
