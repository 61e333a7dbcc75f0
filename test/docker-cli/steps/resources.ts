import { step, type Step } from '../step.ts';

const otherCgroups = 'dockerd takes the cgroup v1 controllers of a machine with both hierarchies; we take v2 alone';
const discarded = `a limit that is discarded is not looked at. ${otherCgroups}`;
const noCpuTime = /NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler/;
const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';

/** Limits, of which this kind of machine has none in force: what is said of them, and states. */
export const resourceSteps: readonly Step[] = [
  step('run --rm -m 64m busybox true', {
    stderr: /^$|Limitation discarded/,
    differs: { why: otherCgroups, in: ['stderr'] },
  }),
  step('run --rm -m 1m busybox true', { exit: 125, stderr: /Minimum memory limit allowed is 6MB/ }),
  step('run --rm --memory-swap 64m busybox true', {
    exit: 125,
    stderr: /You should always set the Memory limit when using Memoryswap limit, see usage/,
  }),
  step('run --rm --cpus 1000 busybox true', {
    exit: 125,
    stderr: noCpuTime,
    differs: { why: otherCgroups, in: ['stderr'] },
  }),
  step('run --rm --cpus 0.5 busybox true', {
    exit: 125,
    stderr: noCpuTime,
    differs: { why: otherCgroups, in: ['exit', 'stderr'] },
  }),
  step('run --rm --cpu-shares 512 busybox true', {
    stderr: /^$|discarded/,
    differs: { why: otherCgroups, in: ['stderr'] },
  }),
  step('run --rm --cpuset-cpus a busybox true', {
    stderr: /Your kernel does not support cpuset or the cgroup is not mounted\. Cpuset discarded\./,
    differs: { why: discarded, in: ['exit', 'stderr'] },
  }),
  step('run --rm --cpuset-cpus 0 busybox true', {
    stderr: /^$|discarded/,
    differs: { why: otherCgroups, in: ['stderr'] },
  }),
  step('run --rm --pids-limit 10 busybox true', {
    stderr: /^$|discarded/,
    differs: { why: otherCgroups, in: ['stderr'] },
  }),
  step('run --rm --blkio-weight 50 busybox true', { stderr: /Block I\/O weight .* Weight discarded/ }),
  step('run --rm --device-read-bps /dev/nosuch:1mb busybox true', {
    stderr: /Block I\/O BPS read limit discarded/,
    differs: { why: discarded, in: ['exit', 'stderr'] },
  }),
  step('run -d --name limits --restart no busybox sleep 1000', { stdout: '<id>\n' }),
  step('update --restart always limits', { stdout: 'limits\n' }),
  step('inspect --format {{.HostConfig.RestartPolicy.Name}} limits', { stdout: 'always\n' }),
  { args: ['inspect', '--format', '{{json .HostConfig.PidsLimit}}', 'limits'], stdout: 'null\n' },
  step('update --pids-limit -1 limits', { stdout: 'limits\n' }),
  {
    args: ['inspect', '--format', '{{json .HostConfig.PidsLimit}}', 'limits'],
    stdout: /^(0|null)\n$/,
    differs: { why: discarded, in: ['stdout'] },
  },
  step('update --restart sometimes limits', {
    exit: 1,
    stderr: /invalid restart policy/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('pause limits', { stdout: 'limits\n' }),
  step('pause limits', { exit: 1, stderr: /already paused/ }),
  step('ps --format {{.Names}}|{{.State}}|{{.Status}} --filter status=paused', {
    stdout: 'limits|paused|Up <while> (Paused)\n',
  }),
  step('exec limits true', { exit: 1, stderr: /is paused, unpause the container before exec/ }),
  step('unpause limits', { stdout: 'limits\n' }),
  step('unpause limits', { exit: 1, stderr: /is not paused/ }),
  step('inspect --format {{.State.Paused}}|{{.State.OOMKilled}}|{{.State.Status}} limits', {
    stdout: 'false|false|running\n',
  }),
  step('stats --no-stream --format {{.Name}} limits', { stdout: 'limits\n' }),
  step('rm -f limits', { stdout: 'limits\n' }),
];
