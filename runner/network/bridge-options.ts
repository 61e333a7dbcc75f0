import { BerthError } from '#shared/errors.ts';
import { parseIpv4 } from './ipv4.ts';
import type { BridgeSettings } from './network-record.ts';

const prefix = 'com.docker.network.bridge.';
const mtuOption = 'com.docker.network.driver.mtu';

/** Options of the bridge driver that mean IPv6, or another way of forwarding than by nftables. */
const unsupported = [
  'com.docker.network.enable_ipv6',
  `${prefix}gateway_mode_ipv4`,
  `${prefix}gateway_mode_ipv6`,
  `${prefix}inhibit_ipv4`,
  `${prefix}trusted_host_interfaces`,
  'com.docker.network.host_ipv4',
  'com.docker.network.host_ipv6',
];

/**
 * The options of Docker's bridge driver. Options that it does not know are kept and mean nothing, as with dockerd.
 *
 * @param id 64 hex digits: the bridge is named by them unless the options name it
 * @throws BerthError `network.option-invalid`, `network.option-unsupported`
 */
export function bridgeSettingsOf(options: Readonly<Record<string, string>>, id: string): BridgeSettings {
  for (const name of unsupported) {
    const value = options[name];
    if (value === undefined || value === '' || value === 'nat' || value === 'false') continue;
    throw new BerthError(
      'unsupported',
      'network.option-unsupported',
      `network: the option ${name}=${value.slice(0, 40)} is not in this version of Berth`,
    );
  }
  const mtu = options[mtuOption];
  return {
    bridge: bridgeName(options[`${prefix}name`], id),
    isConnected: booleanOption(options, `${prefix}enable_icc`, true),
    masquerades: booleanOption(options, `${prefix}enable_ip_masquerade`, true),
    hostAddress: addressOption(options, `${prefix}host_binding_ipv4`) ?? '0.0.0.0',
    ...(mtu === undefined || mtu === '' || mtu === '0' ? {} : { mtuBytes: mtuBytes(mtu) }),
  };
}

/** A link has 15 characters, and this name is part of rules: only plain ones pass. */
function bridgeName(asked: string | undefined, id: string): string {
  if (asked === undefined || asked === '') return `br-${id.slice(0, 12)}`;
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$/.test(asked)) return asked;
  throw invalid(`${prefix}name`, asked);
}

function booleanOption(options: Readonly<Record<string, string>>, name: string, otherwise: boolean): boolean {
  const value = options[name];
  if (value === undefined) return otherwise;
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false;
  throw invalid(name, value);
}

function addressOption(options: Readonly<Record<string, string>>, name: string): string | undefined {
  const value = options[name];
  if (value === undefined || value === '') return undefined;
  if (parseIpv4(value) === undefined) throw invalid(name, value);
  return value;
}

function mtuBytes(value: string): number {
  const bytes = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  if (bytes < 68 || bytes > 65_535) throw invalid(mtuOption, value);
  return bytes;
}

function invalid(name: string, value: string): BerthError {
  return new BerthError(
    'invalid',
    'network.option-invalid',
    `failed to parse ${name} value: ${JSON.stringify(value.slice(0, 80))} (no value that this option has)`,
  );
}
