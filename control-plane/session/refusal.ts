import { BerthError } from '#shared/errors.ts';
import { CLOSE, type ToHost } from '#shared/protocol/control.ts';
import type { HostSocket } from './host-socket.ts';

/** WebSocket 1011: this end could not go on; the other one may try again (RFC 6455 section 7.4.1). */
const INTERNAL_ERROR = 1011;

const closeCodeOf = new Map<string, number>([
  ['protocol.frame-too-large', CLOSE.tooLarge],
  ['protocol.flood', CLOSE.tooLarge],
  ['host.unknown', CLOSE.unauthenticated],
  ['host.bad-signature', CLOSE.unauthenticated],
  ['host.revoked', CLOSE.revoked],
  ['host.replaced', CLOSE.replaced],
  ['host.silent', CLOSE.timeout],
]);

/** The close code of the control channel that says what this error says. */
function closeCode(code: string): number {
  const known = closeCodeOf.get(code);
  if (known !== undefined) return known;
  return code.startsWith('protocol.') ? CLOSE.protocol : INTERNAL_ERROR;
}

/**
 * Tells the host why, closes, and marks the socket so that nothing more of it is heard. An error that is not ours is
 * told without its text, which may hold internals.
 */
export function refuse(socket: HostSocket, error: unknown): void {
  const known =
    error instanceof BerthError
      ? error
      : new BerthError('internal', 'internal', 'control channel: the control plane failed to handle a message', {
          remedy: 'Connect again; what was not acknowledged is then sent again.',
        });
  const text = known.remedy === undefined ? known.message : `${known.message}. ${known.remedy}`;
  const message: ToHost = { kind: 'refused', code: known.code, message: text };
  socket.session = { phase: 'closed', hostId: socket.session.hostId };
  socket.send(JSON.stringify(message));
  socket.close(closeCode(known.code), known.code);
}
