import { expect, test } from 'vitest';
import { checkFields } from './check-fields.ts';

test('what the client sends for an ordinary run passes', () => {
  // HostConfig as CLI 28 writes it for `docker run --rm IMAGE`.
  const hostConfig = {
    ...{ Binds: null, ContainerIDFile: '', LogConfig: { Type: '', Config: {} }, NetworkMode: 'bridge' },
    ...{ PortBindings: {}, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, AutoRemove: true, VolumeDriver: '' },
    ...{ ConsoleSize: [0, 0], CapAdd: null, Dns: [], Links: null, Privileged: false, MemorySwappiness: -1 },
    ...{ BlkioWeightDevice: [], Devices: [], OomKillDisable: false, Init: null, MaskedPaths: null },
  };
  expect(() => checkFields({ Image: 'busybox', Volumes: {}, Domainname: '' }, hostConfig)).not.toThrow();
});

test.each([
  ['HostConfig.LogConfig: {"Type":"syslog"}', {}, { LogConfig: { Type: 'syslog' } }],
  [
    'HostConfig.LogConfig: {"Type":"json-file","Config":{"max-size":"1m"}}',
    {},
    { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } },
  ],
])('%s is refused by name', (text, config, hostConfig) => {
  expect(() => checkFields(config, hostConfig)).toThrow(`${text} is not supported`);
});
