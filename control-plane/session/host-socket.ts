import type { AssignmentVersion } from '#shared/model/assignment.ts';

/**
 * What the hub remembers of one connection, kept with the socket and not in memory, so that a hub which was evicted
 * (Durable Object hibernation) or restarted behind living sockets knows all that it needs. Plain data, well under the
 * 2 KiB that a Durable Object may attach to a socket.
 */
export type Session =
  | {
      /** The challenge is sent and the hello not yet accepted. */
      readonly phase: 'challenged';
      /** From the URL; the hello must name the same. */
      readonly hostId: string;
      readonly nonce: string;
      readonly openedAtMs: number;
    }
  | {
      /** The host proved its key; it counts as connected. */
      readonly phase: 'ready';
      readonly hostId: string;
      readonly sessionId: string;
      readonly welcomedAtMs: number;
      /** The assignment last sent on (or, at hello, held by the other end of) this connection. */
      readonly sent: AssignmentVersion | undefined;
    }
  | {
      /** This end closed it: whatever still arrives is ignored. */
      readonly phase: 'closed';
      readonly hostId: string;
    };

/** One host's WebSocket as the hub needs it; `node-ws.ts` and `durable-object.ts` adapt the platforms' own. */
export interface HostSocket {
  /** Unique among the sockets that are open, and the same after hibernation. */
  readonly id: string;
  /** Kept by the platform for as long as the socket lives. */
  session: Session;
  /** When the last heartbeat was answered, Unix milliseconds; undefined before the first. */
  readonly lastHeartbeatMs: number | undefined;
  /** Sends one text frame; does nothing when the socket is no longer open. */
  send(text: string): void;
  /** Starts the closing handshake; does nothing when that has begun. `reason` is at most 123 bytes of UTF-8. */
  close(code: number, reason: string): void;
}

/** The open sockets of one cluster. */
export interface HostSockets {
  all(): Iterable<HostSocket>;
  /** Those whose URL named this host, whatever their phase. */
  ofHost(hostId: string): Iterable<HostSocket>;
}
