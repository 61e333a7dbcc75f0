type Document = Readonly<Record<string, unknown>>;

/** NetworkStats of the Docker Engine API for each interface in a /proc/PID/net/dev text (proc(5)) but the loopback. */
export function networkCounters(text: string): Readonly<Record<string, Document>> {
  const lines = text.split('\n').flatMap((line) => {
    const [name = '', counters] = line.split(/:(?=\s*\d)/);
    if (counters === undefined || name.trim() === 'lo') return [];
    return [[name.trim(), countersOf(counters.trim().split(/\s+/).map(Number))] as const];
  });
  return Object.fromEntries(lines);
}

function countersOf(numbers: readonly number[]): Document {
  const at = (index: number): number => numbers[index] ?? 0;
  return {
    rx_bytes: at(0),
    rx_packets: at(1),
    rx_errors: at(2),
    rx_dropped: at(3),
    tx_bytes: at(8),
    tx_packets: at(9),
    tx_errors: at(10),
    tx_dropped: at(11),
  };
}
