import { diffAssignment, type Assignment, type AssignmentVersion } from '#shared/model/assignment.ts';
import type { ToHost } from '#shared/protocol/control.ts';
import type { Cluster } from '../ports.ts';
import type { HostSocket } from './host-socket.ts';

/**
 * Sends each host what it should have. What was last sent is known by version from the socket's session; its content is
 * kept in memory only, to make increments from, and when it is gone (hibernation) the complete assignment is sent.
 */
export class AssignmentSender {
  readonly #cluster: Cluster;
  /** By socket: the content of `session.sent`. */
  readonly #content = new Map<string, Assignment>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Brings the host up to date: nothing when it is, else an increment or the complete assignment. */
  async push(socket: HostSocket): Promise<void> {
    const { session } = socket;
    if (session.phase !== 'ready') return;
    const wanted = await this.#cluster.assignmentOf(session.hostId);
    if (session.sent === undefined || !isSame(session.sent, wanted.version)) {
      socket.send(JSON.stringify(await this.#message(socket.id, session.sent, wanted)));
      socket.session = { ...session, sent: wanted.version };
    }
    this.#content.set(socket.id, wanted.assignment);
  }

  /** Sends the complete assignment, whatever was sent before. */
  async resend(socket: HostSocket): Promise<void> {
    const { session } = socket;
    if (session.phase !== 'ready') return;
    this.forget(socket);
    socket.session = { ...session, sent: undefined };
    await this.push(socket);
  }

  forget(socket: HostSocket): void {
    this.#content.delete(socket.id);
  }

  async #message(
    socketId: string,
    sent: AssignmentVersion | undefined,
    wanted: { readonly version: AssignmentVersion; readonly assignment: Assignment },
  ): Promise<ToHost> {
    const base = this.#content.get(socketId);
    if (sent === undefined || base === undefined) return { kind: 'assignment', ...wanted };
    const increment = await diffAssignment(base, wanted.assignment);
    // A base other than what was sent would only make the host ask again.
    if (increment.base !== sent.digest) return { kind: 'assignment', ...wanted };
    return { kind: 'increment', version: wanted.version, increment };
  }
}

function isSame(a: AssignmentVersion, b: AssignmentVersion): boolean {
  return a.generation === b.generation && a.digest === b.digest;
}
