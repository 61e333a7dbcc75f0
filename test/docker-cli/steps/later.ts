import { step, type Step } from '../step.ts';

const noPull = 'this version pulls no images; dockerd asks a registry, which is not there';

/** Created and started later; what is refused by name. */
export const laterSteps: readonly Step[] = [
  step('pull busybox', {
    exit: 1,
    stderr: /is not in this version/,
    differs: { why: noPull, in: ['stderr'] },
  }),
  // Created, started later
  step('create --name later -i busybox cat', { stdout: '<id>\n' }),
  step('ps -a --format {{.Names}}|{{.Status}}', { stdout: 'later|Created\n' }),
  step('start -ai later', { input: 'late\n', stdout: 'late\n' }),
  step('logs later', { stdout: 'late\n' }),
  step('ps -n 1 --format {{.Names}}', { stdout: 'later\n' }),
  step('container prune -f', { stdout: /Deleted Containers:\n<id>\n\nTotal reclaimed space: 0B\n/ }),
  step('run -d --name always --restart on-failure:1 busybox false', { stdout: '<id>\n' }),
  step('wait always', { stdout: '1\n' }),
  step('run -d --rm --name gone busybox sleep 60', { stdout: '<id>\n' }),
  step('rm -f gone', { stdout: 'gone\n' }),
  step('run -d --name check --health-cmd true --health-interval 200ms busybox sleep 60', { stdout: '<id>\n' }),
  step('inspect --format {{.Config.Healthcheck.Test}}|{{.Config.Healthcheck.Interval}} check', {
    stdout: '[CMD-SHELL true]|200ms\n',
  }),
  step('rm -f always check', { stdout: 'always\ncheck\n' }),
  step('run --cidfile /nosuch/file busybox true', { exit: 127, stderr: /container ID file/ }),
];
