import { expect, test } from 'vitest';
import { wantedPorts } from './published-ports.ts';

test('bindings, free ports, and every exposed port that is not bound', () => {
  const hostConfig = {
    PublishAllPorts: true,
    PortBindings: {
      '80/tcp': [
        { HostIp: '', HostPort: '8080' },
        { HostIp: '0.0.0.0', HostPort: '' },
      ],
      '53/udp': null,
    },
  };
  expect(wantedPorts(hostConfig, ['80/tcp', '443/tcp'])).toEqual([
    { protocol: 'tcp', containerPort: 80, hostPort: 8080 },
    { protocol: 'tcp', containerPort: 80, hostPort: 0, hostAddress: '0.0.0.0' },
    { protocol: 'udp', containerPort: 53, hostPort: 0 },
    { protocol: 'tcp', containerPort: 443, hostPort: 0 },
  ]);
});

test('one address, and a free port of a range', () => {
  const at = (HostIp: string, HostPort: string) =>
    wantedPorts({ PortBindings: { '80/tcp': [{ HostIp, HostPort }] } }, []);
  const port = { protocol: 'tcp', containerPort: 80 };
  expect(at('127.0.0.1', '80')).toEqual([{ ...port, hostPort: 80, hostAddress: '127.0.0.1' }]);
  expect(at('', '8000-8010')).toEqual([{ ...port, hostPort: 8000, lastHostPort: 8010 }]);
  expect(at('::', '8000-8000')).toEqual([{ ...port, hostPort: 8000 }]);
});

test.each([
  ['80/sctp', [{}]],
  ['0/tcp', [{}]],
  ['x', [{}]],
  ['80/tcp', [{ HostPort: '99999' }]],
  ['80/tcp', [{ HostPort: '90-80' }]],
  ['80/tcp', [{ HostIp: '::1', HostPort: '80' }]],
])('%s to %j is refused', (port, bindings) => {
  expect(() => wantedPorts({ PortBindings: { [port]: bindings } }, [])).toThrow(
    /invalid port specification|is not supported/,
  );
});
