/** What /etc/hosts of a container says: localhost, and its own name at each of its addresses (moby libnetwork/etchosts). */
export function hostsFile(hostname: string, addresses: readonly string[]): string {
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::\tip6-localnet',
    'ff00::\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...addresses.map((address) => `${address}\t${hostname}`),
    '',
  ].join('\n');
}

/**
 * The container's /etc/resolv.conf from the host's: resolvers that only the host itself can reach (127.0.0.0/8, ::1) are
 * left out, and when none is left, `fallback` is asked.
 *
 * @param fallback address of a resolver that containers reach (the gateway of their network)
 */
export function resolvConf(host: string, fallback: string): string {
  const lines = host.split('\n').map((line) => line.trim());
  const local = /^nameserver\s+(127\.|::1(\s|$|%))/;
  const kept = lines.filter((line) => line !== '' && !/^[#;]/.test(line) && !local.test(line));
  const served = kept.some((line) => line.startsWith('nameserver')) ? kept : [`nameserver ${fallback}`, ...kept];
  return `${served.join('\n')}\n`;
}
