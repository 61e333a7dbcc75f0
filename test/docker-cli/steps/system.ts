import { step, type Step } from '../step.ts';

/** The engine as a whole, at the end. */
export const systemSteps: readonly Step[] = [
  step('version --format {{.Client.Version}}', { stdout: /^\d/ }),
  step('info --format {{.Containers}}|{{.Images}}|{{.OSType}}|{{.Swarm.LocalNodeState}}', {
    stdout: '0|1|linux|inactive\n',
  }),
  step('system df --format {{.Type}}|{{.TotalCount}}', {
    stdout: 'Images|1\nContainers|0\nLocal Volumes|0\nBuild Cache|0\n',
  }),
  step('events --since 1h --filter container=later --format {{.Action}}', {
    signal: { after: 'destroy\n', name: 'SIGKILL' },
    exit: 128,
    stdout: /create\nattach\nstart\ndie\ndestroy\n/,
  }),
  step('node ls', { exit: 1, stderr: /This node is not a swarm manager/ }),
  step('service ls', { exit: 1, stderr: /This node is not a swarm manager/ }),
  step('network inspect nosuch', {
    exit: 1,
    stdout: '[]\n',
    stderr: /network nosuch not found/,
  }),
  step('volume inspect nosuch', {
    exit: 1,
    stdout: '[]\n',
    stderr: /no such volume/,
  }),
  step('image prune -f', { stdout: 'Total reclaimed space: 0B\n' }),
  step('rmi busybox', {
    stdout: /^Untagged: busybox:latest\nDeleted: sha256:<digest>/,
  }),
];
