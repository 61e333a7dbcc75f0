import { step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';
const noPull = 'this version pulls no images; dockerd asks a registry, which is not there';

/** What cannot be, and what says so; and images whose names are taken away. */
export const mistakeSteps: readonly Step[] = [
  step('run -d --name errant busybox sleep 1000', { stdout: '<id>\n' }),
  // Places
  step('exec -w /nosuch errant pwd', {
    exit: 126,
    stdout: /chdir to cwd \("\/nosuch"\) set in config\.json failed: no such file or directory: unknown/,
  }),
  step('run --rm -w /etc/group busybox true', { exit: 125, stderr: /Cannot mkdir: \/etc\/group is not a directory/ }),
  step('cp note errant:/etc/group/', {
    files: { note: 'no\n' },
    exit: 1,
    stderr: /no such directory/,
    differs: { why: 'the client tells of its broken pipe, or is too late for it', in: ['stderr'] },
  }),
  step('cp errant:/etc/group/ copied', {
    exit: 1,
    stderr: /Could not find the file \/etc\/group\/ in container errant/,
    differs: { why: 'Debian’s dockerd tells its own path', in: ['stderr'] },
  }),
  step('exec errant head -n 1 /etc/group', { stdout: /^root:/ }),
  // Users
  step('exec -u nosuch errant id', {
    exit: 126,
    stdout: 'unable to find user nosuch: no matching entries in passwd file\n',
  }),
  step('exec -u 0:nosuch errant id', {
    exit: 126,
    stdout: 'unable to find group nosuch: no matching entries in group file\n',
  }),
  // Names
  {
    args: ['rename', 'errant', 'two words'],
    exit: 1,
    stderr: /Error when allocating new name: Invalid container name \(\/two words\), only \[a-zA-Z0-9\]/,
  },
  step('create --name second busybox true', { stdout: '<id>\n' }),
  step('rename second errant', {
    exit: 1,
    stderr: /Error when allocating new name: Conflict\. The container name "\/errant" is already in use/,
  }),
  step('rm --link errant', { exit: 1, stderr: /Conflict, cannot remove the default link name of the container/ }),
  step('tag busybox sha256:abc', {
    exit: 1,
    stderr: /refusing to create an ambiguous tag using digest algorithm as name/,
  }),
  // Filters
  step('ps --filter health=nosuch', { exit: 1, stderr: /Unrecognised filter value for health: nosuch/ }),
  step('ps --filter before=nosuch', { exit: 1, stderr: /no such container nosuch/ }),
  step('ps --filter since=nosuch', { exit: 1, stderr: /no such container nosuch/ }),
  step('image prune -f --filter until=nosuch', {
    exit: 1,
    stderr: /failed to parse value as time or duration: "nosuch"/,
  }),
  step('container prune -f --filter until=nosuch', {
    exit: 1,
    stderr: /failed to parse value as time or duration: "nosuch"/,
  }),
  // Platforms
  step('run --rm --isolation hyperv busybox true', {
    exit: 125,
    stderr: /invalid isolation: "hyperv" - linux only supports 'default'/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm --platform linux/s390x busybox true', {
    exit: 125,
    stderr: /Unable to find image 'busybox:latest' locally/,
    differs: { why: noPull, in: ['stderr'] },
  }),
  // Images
  step('tag busybox other:1'),
  step('create --name third other:1 echo kept', { stdout: '<id>\n' }),
  step('commit third other:2', { stdout: 'sha256:<digest>\n' }),
  step('rmi other:1', { stdout: 'Untagged: other:1\n' }),
  step('ps -a --filter name=third --format {{.Image}}', { stdout: '<id>\n' }),
  step('tag other:2 other:1'),
  step('ps -a --filter name=third --format {{.Image}}', { stdout: '<id>\n' }),
  step('rm second third', { stdout: 'second\nthird\n' }),
  step('create --name fourth other:2 echo kept', { stdout: '<id>\n' }),
  step('rmi -f other:1', { stdout: 'Untagged: other:1\n' }),
  step('rmi -f other:2', {
    stdout: 'Untagged: other:2\n',
    differs: {
      why: 'dockerd deletes the image, but not its layers, which the container has; here it stays, without a name',
      in: ['stdout'],
    },
  }),
  step('start -a fourth', { stdout: 'kept\n' }),
  step('rm -f fourth errant', { stdout: 'fourth\nerrant\n' }),
  step('image prune -f', {
    stdout: /Total reclaimed space/,
    differs: { why: 'of dockerd’s image there is nothing any more', in: ['stdout'] },
  }),
];
