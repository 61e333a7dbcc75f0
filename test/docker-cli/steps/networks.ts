import { script, step, type Step } from '../step.ts';

const olderText = 'Debian’s dockerd is 20.10: later versions word it as we do';

/** Networks, names, published ports. */
export const networkSteps: readonly Step[] = [
  step('network ls --format {{.Name}}|{{.Driver}}|{{.Scope}}', {
    stdout: 'bridge|bridge|local\nhost|host|local\nnone|null|local\n',
  }),
  step('network create --subnet 10.201.0.0/24 --gateway 10.201.0.1 --label kind=test quay', { stdout: '<id>\n' }),
  step('network create quay', { exit: 1, stderr: /network with name quay already exists/ }),
  step('network create --subnet 10.201.0.0/25 overlap', {
    exit: 1,
    stderr: /invalid pool request: Pool overlaps with other one on this address space/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('network create -d nosuch other', { exit: 1, stderr: /plugin "nosuch" not found/ }),
  step('network create bridge', { exit: 1, stderr: /operation is not permitted on predefined bridge network/ }),
  {
    args: ['network', 'inspect', '--format', '{{.Driver}}|{{(index .IPAM.Config 0).Subnet}}', 'quay'],
    stdout: 'bridge|<address>/24\n',
  },
  step('network create --internal closed', { stdout: '<id>\n' }),
  step('run -d --name one --network quay --network-alias first busybox sleep 1000', { stdout: '<id>\n' }),
  step('run -d --name two --network quay --ip 10.201.0.77 busybox sleep 1000', { stdout: '<id>\n' }),
  script('exec one', 'ping -c 1 -w 10 two | head -1', { stdout: 'PING two (<address>): 56 data bytes\n' }),
  script('exec two', 'ping -c 1 -w 10 first | head -1', { stdout: 'PING first (<address>): 56 data bytes\n' }),
  script('exec one', 'ping -c 1 -w 10 10.201.0.77 >/dev/null; echo $?', { stdout: '0\n' }),
  script('exec one', 'ping -c 1 -w 3 nosuch 2>&1', { exit: 1, stdout: "ping: bad address 'nosuch'\n" }),
  step('inspect --format {{.NetworkSettings.Networks.quay.IPAddress}} two', { stdout: '<address>\n' }),
  step('network connect --alias guest bridge two', {
    exit: 1,
    stderr:
      /invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('network connect closed two'),
  step('network connect closed two', { exit: 1, stderr: /already exists in network closed/ }),
  step('exec two ls /sys/class/net', { stdout: /eth0\neth1\n/ }),
  script('exec two', 'echo "10.9.8.7 mine" >>/etc/hosts; echo "# mine" >>/etc/resolv.conf'),
  step('network disconnect closed two'),
  script('exec two', 'grep mine /etc/hosts; tail -n 1 /etc/resolv.conf', { stdout: '<address> mine\n# mine\n' }),
  step('network disconnect closed two', { exit: 1, stderr: /is not connected to (the )?network closed/ }),
  { args: ['network', 'inspect', '--format', '{{len .Containers}}', 'quay'], stdout: '2\n' },
  step('network rm quay', {
    exit: 1,
    stderr: /network quay has active endpoints \(name:"one" id:"<id>", name:"two" id:"<id>"\)/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm --network nosuch busybox true', {
    exit: 125,
    stderr: /failed to set up container networking: network nosuch not found/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm --network quay --ip 10.202.0.1 busybox true', {
    exit: 125,
    stderr: /Invalid address|no configured subnet/,
    differs: { why: olderText, in: ['stderr'] },
  }),
  step('run --rm --add-host up:10.9.8.7 busybox grep up /etc/hosts', { stdout: '<address>\tup\n' }),
  step('run --rm --dns 10.9.8.7 --dns-search example.org --dns-option ndots:3 busybox cat /etc/resolv.conf', {
    stdout: 'nameserver <address>\nsearch example.org\noptions ndots:3\n',
    differs: { why: 'Debian’s dockerd is 20.10: later versions write the lines in this order', in: ['stdout'] },
  }),
  step('run --rm --dns nonsense busybox true', { exit: 125, stderr: /nonsense/ }),
  step('run -d --name ports -p 127.0.0.1:8097:80 -p 8098:81/udp busybox sleep 1000', { stdout: '<id>\n' }),
  step('port ports 80', { stdout: '<address>:8097\n' }),
  step('run --rm --name late -p 127.0.0.1:8097:80 busybox true', {
    exit: 125,
    stderr:
      /failed to set up container networking: driver failed programming external connectivity on endpoint late \(<id>\): Bind for <address>:8097 failed: port is already allocated/,
    differs: { why: `${olderText}, who then name the holder`, in: ['stderr'] },
  }),
  step('rm -f ports one two', { stdout: 'ports\none\ntwo\n' }),
  step('network rm closed', { stdout: 'closed\n' }),
  step('network prune -f --filter label=kind=test', { stdout: 'Deleted Networks:\nquay\n\n' }),
  step('network rm bridge', { exit: 1, stderr: /bridge is a pre-defined network and cannot be removed/ }),
];
