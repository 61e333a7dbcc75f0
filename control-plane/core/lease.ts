/** How often a host sends its heartbeat, in milliseconds. */
export const HEARTBEAT_MS = 10_000;

/** How long a disconnected host counts as merely away, in milliseconds; then it is down. */
export const LEASE_MS = 30_000;
