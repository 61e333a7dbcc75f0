import { z } from 'zod';
import { BerthError } from '#shared/errors.ts';
import { endpointConfig, type EndpointConfig } from '../../../container/network-config.ts';
import { contains, parsePrefix } from '../../../network/ipam.ts';
import { parseIpv4 } from '../../../network/ipv4.ts';
import { DEFAULT_NETWORK, isPredefined, type NetworkRecord } from '../../../network/network-record.ts';
import { unsupportedField } from '../unsupported-field.ts';

const texts = z.array(z.string()).nullish();

/** EndpointSettings of the Docker Engine API, as a client writes it. */
export const endpointSettingsBody = z.looseObject({
  IPAMConfig: z
    .looseObject({ IPv4Address: z.string().nullish(), IPv6Address: z.string().nullish(), LinkLocalIPs: texts })
    .nullish(),
  Links: texts,
  Aliases: texts,
  MacAddress: z.string().nullish(),
  DriverOpts: z.record(z.string(), z.string()).nullish(),
  GwPriority: z.int().nullish(),
});
export type EndpointSettingsBody = z.infer<typeof endpointSettingsBody>;

const unsupportedOptions = ['com.docker.network.endpoint.sysctls', 'com.docker.network.endpoint.ifname'];

/**
 * A container's place on a network as a client asks for it.
 *
 * @param name the network as the client calls it
 * @param network undefined when there is none of this name: the container's start fails then, as with Docker
 * @throws BerthError `docker.endpoint-invalid` with dockerd's texts, `docker.field-unsupported`
 */
export function endpointConfigOf(
  name: string,
  network: NetworkRecord | undefined,
  body: EndpointSettingsBody,
): EndpointConfig {
  const problems = problemsOf(network?.name ?? name, network, body);
  if (problems.length > 0) {
    throw new BerthError('invalid', 'docker.endpoint-invalid', `invalid endpoint settings:\n${problems.join('\n')}`);
  }
  const option = unsupportedOptions.find((one) => body.DriverOpts?.[one] !== undefined);
  if (option !== undefined) throw unsupportedField(`the endpoint option ${option}`);
  if ((body.IPAMConfig?.LinkLocalIPs ?? []).length > 0) throw unsupportedField('LinkLocalIPs of an endpoint');
  const isOwn = network !== undefined && isPredefined(network.name);
  return endpointConfig.parse({
    network: network === undefined ? name : isOwn ? network.name : network.id,
    aliases: [...new Set(body.Aliases)],
    links: body.Links ?? [],
    ...(body.IPAMConfig?.IPv4Address ? { ipv4Address: body.IPAMConfig.IPv4Address } : {}),
    ...(body.MacAddress ? { macAddress: macAddress(body.MacAddress) } : {}),
    ...(body.DriverOpts && Object.keys(body.DriverOpts).length > 0 ? { driverOptions: body.DriverOpts } : {}),
    gatewayPriority: body.GwPriority ?? 0,
  });
}

/** `02:42:ac:11:00:02` however it was written. @throws BerthError `docker.endpoint-invalid` */
export function macAddress(text: string): string {
  const digits = text.toLowerCase().replaceAll('-', ':');
  // The first bit of a group address is set: no single link has one.
  if (/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/.test(digits)) return digits;
  throw new BerthError('invalid', 'docker.endpoint-invalid', `invalid MAC address ${text.slice(0, 40)}`);
}

function problemsOf(
  name: string,
  network: NetworkRecord | undefined,
  { IPAMConfig: ipam, Aliases: aliases }: EndpointSettingsBody,
): readonly string[] {
  const addresses = [ipam?.IPv4Address, ipam?.IPv6Address].filter((text): text is string => Boolean(text));
  const problems: string[] = [];
  if (isPredefined(name) || name === DEFAULT_NETWORK) {
    if (addresses.length > 0) problems.push('user specified IP address is supported on user defined networks only');
    if ((aliases ?? []).length > 0) {
      problems.push('network-scoped alias is supported only for containers in user defined networks');
    }
  }
  for (const text of addresses) problems.push(...addressProblems(text, network));
  return problems;
}

function addressProblems(text: string, network: NetworkRecord | undefined): readonly string[] {
  const address = parseIpv4(text);
  if (address === undefined && !text.includes(':')) return [`invalid IPv4 address: ${text.slice(0, 60)}`];
  if (network === undefined) return [];
  const [asked] = network.kind === 'bridge' ? network.ipam.config : [];
  if (asked === undefined || address === undefined) {
    return ['user specified IP address is supported only when connecting to networks with user configured subnets'];
  }
  const subnet = parsePrefix(asked.subnet);
  if (subnet !== undefined && contains(subnet, address)) return [];
  return [`no configured subnet or ip-range contain the IP address ${text}`];
}
