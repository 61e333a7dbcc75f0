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
    { protocol: 'tcp', containerPort: 80, hostPort: undefined },
    { protocol: 'udp', containerPort: 53, hostPort: undefined },
    { protocol: 'tcp', containerPort: 443, hostPort: undefined },
  ]);
});

test.each([
  ['80/sctp', [{}]],
  ['0/tcp', [{}]],
  ['x', [{}]],
  ['80/tcp', [{ HostPort: '99999' }]],
  ['80/tcp', [{ HostPort: '80-90' }]],
  ['80/tcp', [{ HostIp: '127.0.0.1', HostPort: '80' }]],
])('%s to %j is refused', (port, bindings) => {
  expect(() => wantedPorts({ PortBindings: { [port]: bindings } }, [])).toThrow(
    /invalid port specification|is not supported/,
  );
});
