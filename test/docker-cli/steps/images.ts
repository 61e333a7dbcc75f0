import { step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';

/** Lists, names and inspection of images. */
export const imageSteps: readonly Step[] = [
  step('image ls', { stdout: /^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE\nbusybox\s+latest/ }),
  step('images -q', { stdout: '<id>\n' }),
  step('images --no-trunc -q', { stdout: 'sha256:<digest>\n' }),
  step('images --format {{.Repository}}:{{.Tag}}', { stdout: 'busybox:latest\n' }),
  step('images busybox:none', { stdout: 'REPOSITORY  TAG  IMAGE ID  CREATED  SIZE\n' }),
  step('images --filter dangling=true -q', { stdout: '' }),
  step('images --filter reference=busy* -q', { stdout: '<id>\n' }),
  step('tag busybox copy:2'),
  step('tag nosuch copy:3', { exit: 1, stderr: 'Error response from daemon: No such image: nosuch:latest\n' }),
  step('tag busybox UPPER', {
    exit: 1,
    stderr: /invalid reference format: repository name \(library\/UPPER\) must be lowercase/,
  }),
  step('image inspect --format {{.Os}}/{{.Config.Cmd}}/{{.RepoTags}} busybox', {
    stdout: 'linux/[sh]/[busybox:latest copy:2]\n',
  }),
  step('image inspect --format {{.Id}} copy:2', { stdout: 'sha256:<digest>\n' }),
  step('image inspect nosuch', {
    exit: 1,
    stdout: '[]\n',
    stderr: /No such image: nosuch/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('history -q busybox', { stdout: '' }),
  step('rmi copy:2', { stdout: 'Untagged: copy:2\n' }),
  step('rmi copy:2', { exit: 1, stderr: /No such image: copy:2/ }),
];
