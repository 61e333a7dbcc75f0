/**
 * 64 hex digits for a container's place on a network, from the ids of both: the same every time, and as unlikely to be
 * another's as they are, because both are random.
 */
export function combinedId(containerId: string, networkId: string): string {
  const digit = (id: string, at: number): number => Number.parseInt(id[at] ?? '0', 16) || 0;
  return Array.from({ length: 64 }, (_, at) => (digit(containerId, at) ^ digit(networkId, at)).toString(16)).join('');
}
