import { expect, test } from 'vitest';
import { checkSysctl, dottedSysctl } from './sysctls.ts';

const own = { ipc: true, network: true, uts: true };
const none = { ipc: false, network: false, uts: false };

test.each(['kernel.msgmax', 'kernel/shm_rmid_forced', 'fs.mqueue.msg_max', 'net.ipv4.ip_forward', 'kernel.domainname'])(
  '%s is the own of a container with all namespaces',
  (name) => expect(checkSysctl(name, own)).toBeUndefined(),
);

test.each([
  ['kernel.panic', own, 'sysctl "kernel.panic" is not in a separate kernel namespace'],
  ['vm.swappiness', own, 'is not in a separate kernel namespace'],
  ['kernel.hostname', own, 'is not allowed as it conflicts with the OCI "hostname" field'],
  ['kernel.hostname', none, 'is not in a separate kernel namespace'],
  ['kernel.sem', none, 'is not allowed in the hosts ipc namespace'],
  ['net.core.somaxconn', none, 'not allowed in host network namespace'],
  ['kernel.semx', own, 'is not in a separate kernel namespace'],
])('%s with %j is refused in the words of runc', (name, namespaces, text) => {
  expect(() => checkSysctl(name, namespaces)).toThrow(text);
});

test('a name with slashes may have dots in its parts', () => {
  expect(dottedSysctl('net/ipv4/conf/eth0.1/rp_filter')).toBe('net.ipv4.conf.eth0/1.rp_filter');
  expect(dottedSysctl('net.ipv4.conf.eth0/1.rp_filter')).toBe('net.ipv4.conf.eth0/1.rp_filter');
});
