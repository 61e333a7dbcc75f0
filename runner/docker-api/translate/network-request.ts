import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import type { NetworkRequest } from '../../network/network-record.ts';
import { unsupportedField } from './unsupported-field.ts';

const texts = z.record(z.string(), z.string()).nullish();

const ipamConfigBody = z.looseObject({
  Subnet: z.string().nullish(),
  IPRange: z.string().nullish(),
  Gateway: z.string().nullish(),
  AuxiliaryAddresses: texts,
});

/** POST /networks/create */
export const networkCreateBody = z.looseObject({
  Name: z.string().nullish(),
  Driver: z.string().nullish(),
  Scope: z.string().nullish(),
  Internal: z.boolean().nullish(),
  Attachable: z.boolean().nullish(),
  Ingress: z.boolean().nullish(),
  ConfigOnly: z.boolean().nullish(),
  ConfigFrom: z.looseObject({ Network: z.string().nullish() }).nullish(),
  IPAM: z
    .looseObject({ Driver: z.string().nullish(), Options: texts, Config: z.array(ipamConfigBody).nullish() })
    .nullish(),
  EnableIPv4: z.boolean().nullish(),
  EnableIPv6: z.boolean().nullish(),
  Options: texts,
  Labels: texts,
});
export type NetworkCreateBody = z.infer<typeof networkCreateBody>;

/**
 * The network that a body asks for.
 *
 * @throws BerthError `docker.network-invalid`, `docker.no-plugin`, `docker.field-unsupported`
 */
export function networkRequestOf(body: NetworkCreateBody): NetworkRequest {
  const name = body.Name ?? '';
  if (name.trim() === '') {
    throw new BerthError('invalid', 'docker.network-invalid', 'invalid name: name is empty');
  }
  checkDriver(body.Driver ?? '');
  checkKind(body);
  return {
    name,
    labels: body.Labels ?? {},
    options: body.Options ?? {},
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    ipam: ipamOf(body),
  };
}

function checkDriver(driver: string): void {
  if (driver === '' || driver === 'bridge') return;
  if (driver === 'host' || driver === 'null') {
    const text = `only one instance of "${driver}" network is allowed`;
    throw new BerthError('forbidden', 'docker.network-invalid', text);
  }
  if (['overlay', 'macvlan', 'ipvlan'].includes(driver)) throw unsupportedField(`the network driver "${driver}"`);
  throw new BerthError('not-found', 'docker.no-plugin', `plugin "${driver.slice(0, 80)}" not found`);
}

function checkKind(body: NetworkCreateBody): void {
  if (body.EnableIPv6 === true) throw unsupportedField('IPv6 on networks (EnableIPv6)');
  if (body.EnableIPv4 === false) throw unsupportedField('a network without IPv4 (EnableIPv4: false)');
  if (body.Ingress === true) throw unsupportedField('an ingress network');
  if (body.ConfigOnly === true || body.ConfigFrom?.Network) throw unsupportedField('a configuration-only network');
  if (body.Scope && body.Scope !== 'local') throw unsupportedField(`the network scope "${body.Scope.slice(0, 40)}"`);
}

function ipamOf({ IPAM: ipam }: NetworkCreateBody): NetworkRequest['ipam'] {
  const driver = ipam?.Driver ?? '';
  if (driver !== '' && driver !== 'default') {
    throw new BerthError('not-found', 'docker.no-plugin', `plugin "${driver.slice(0, 80)}" not found`);
  }
  const config = (ipam?.Config ?? []).map((one) => ({
    subnet: one.Subnet ?? '',
    ...(one.IPRange ? { ipRange: one.IPRange } : {}),
    ...(one.Gateway ? { gateway: one.Gateway } : {}),
    ...(one.AuxiliaryAddresses ? { auxiliaryAddresses: one.AuxiliaryAddresses } : {}),
  }));
  const six = config.find(({ subnet }) => subnet.includes(':'));
  if (six !== undefined) throw unsupportedField(`IPv6 on networks (the subnet ${six.subnet.slice(0, 50)})`);
  return { options: ipam?.Options ?? {}, config };
}
