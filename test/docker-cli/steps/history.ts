import { script, step, type Step } from '../step.ts';

const since = 'events --since 1h --until=-1s';

/** What has happened: events, exit codes, logs. */
export const historySteps: readonly Step[] = [
  script('run --name teller -l job=tell -v told:/told busybox', 'echo one; echo two >&2; exit 4', {
    exit: 4,
    stdout: 'one\n',
    stderr: 'two\n',
  }),
  step(`${since} --filter type=container --filter container=teller --format {{.Action}}`, {
    stdout: 'create\nattach\nstart\ndie\n',
  }),
  step(
    `${since} --filter event=die --filter label=job=tell --format {{.Actor.Attributes.exitCode}}|{{.Actor.Attributes.name}}`,
    {
      stdout: '4|teller\n',
    },
  ),
  step(`${since} --filter type=volume --filter volume=told --format {{.Type}}|{{.Action}}|{{.Actor.ID}}`, {
    stdout: 'volume|create|told\nvolume|mount|told\nvolume|unmount|told\n',
  }),
  step('network create heard', { stdout: '<id>\n' }),
  step('network connect heard teller'),
  step('network disconnect heard teller'),
  step('network rm heard', { stdout: 'heard\n' }),
  step(`${since} --filter network=heard --format {{.Action}}`, {
    stdout: 'create\ndisconnect\ndestroy\n',
  }),
  step('tag busybox heard:1'),
  step('rmi heard:1', { stdout: 'Untagged: heard:1\n' }),
  step(`${since} --filter type=image --filter event=tag --filter image=heard --format {{.Actor.Attributes.name}}`, {
    stdout: /^(heard:1|busybox:latest)?\n?$/,
  }),
  step('events --since 2001-01-01T00:00:00Z --until 2001-01-02T00:00:00Z', { stdout: '' }),
  step('events --since nonsense --until 1s', { exit: 1, stderr: /nonsense/ }),
  step(`${since} --filter nonsense=1 --filter type=plugin`, { stdout: '' }),
  // Exit codes
  script('run -d --name three busybox', 'exit 3', { stdout: '<id>\n' }),
  script('run -d --name five busybox', 'sleep 1; exit 5', { stdout: '<id>\n' }),
  step('wait three five', { stdout: '3\n5\n' }),
  step('wait three nosuch', { exit: 1, stdout: '3\n', stderr: /No such container: nosuch/ }),
  step('ps -a --filter exited=3 --filter exited=5 --format {{.Names}}', { stdout: 'five\nthree\n' }),
  step('start three five', { stdout: 'three\nfive\n' }),
  step('stop -t 1 three five', { stdout: 'three\nfive\n' }),
  step('rm three five', { stdout: 'three\nfive\n' }),
  // Logs
  step('logs --since 2099-01-01T00:00:00Z teller', { stdout: '', stderr: '' }),
  step('logs --until 2099-01-01T00:00:00Z teller', { stdout: 'one\n', stderr: 'two\n' }),
  step('logs --until 2001-01-01 teller', { stdout: '', stderr: '' }),
  step('logs -n all --details teller', { stdout: ' one\n', stderr: ' two\n' }),
  step('logs -f -t teller', { stdout: '<time> one\n', stderr: '<time> two\n' }),
  step('logs --since nonsense teller', { exit: 1, stderr: /nonsense/ }),
  step('logs --tail -1 teller', { stdout: 'one\n', stderr: 'two\n' }),
  step('start -a teller', { exit: 4, stdout: 'one\n', stderr: 'two\n' }),
  step('logs teller', { stdout: 'one\none\n', stderr: 'two\ntwo\n' }),
  step('rm -v teller', { stdout: 'teller\n' }),
  step('volume rm told', { stdout: 'told\n' }),
];
