import { BerthError } from '#shared/errors.ts';
import { objectId } from '#shared/model/names.ts';
import { problemResponse } from '../problem-response.ts';

/** What a WebSocket upgrade is for, by its path. */
export type UpgradeRoute =
  | { readonly kind: 'channel'; readonly hostId: string }
  | { readonly kind: 'relay'; readonly relayId: string };

/** The route of a path that is reserved for WebSockets, or undefined when it is none. */
export function upgradeRoute(pathname: string): UpgradeRoute | undefined {
  const channel = /^\/v1\/hosts\/([^/]+)\/channel$/.exec(pathname)?.[1];
  if (channel !== undefined && objectId.safeParse(channel).success) return { kind: 'channel', hostId: channel };
  const relay = /^\/v1\/relays\/([^/]+)$/.exec(pathname)?.[1];
  if (relay !== undefined && objectId.safeParse(relay).success) return { kind: 'relay', relayId: relay };
  return undefined;
}

/**
 * True for a WebSocket's opening handshake (RFC 6455 section 4.1). A Worker forwards only such requests to its objects,
 * and the objects take nothing else from outside: both must ask here.
 */
export function isUpgrade(request: Request): boolean {
  return request.method === 'GET' && request.headers.get('upgrade')?.toLowerCase() === 'websocket';
}

/**
 * The bearer token of an `Authorization` header.
 *
 * @throws BerthError `relay.bad-token`
 */
export function relayToken(authorization: string | null | undefined): string {
  const token = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
  if (token !== undefined) return token;
  throw new BerthError('unauthenticated', 'relay.bad-token', 'relay: the upgrade request carries no bearer token', {
    remedy: 'Send "Authorization: Bearer TOKEN" with the token that came with the relay.',
  });
}

/** The error of an upgrade to a path that has no WebSocket. */
export function noSuchChannel(pathname: string): BerthError {
  return new BerthError('not-found', 'channel.unknown', `${pathname.slice(0, 200)} is not a WebSocket of this API`, {
    remedy: 'WebSockets are at /v1/hosts/{id}/channel and /v1/relays/{id}.',
  });
}

/** The answer to a plain request for a path that is only for WebSockets (RFC 9110 section 15.5.22). */
export function upgradeNeeded(pathname: string): Response {
  const error = new BerthError('invalid', 'channel.upgrade-needed', `${pathname} answers WebSocket upgrades only`);
  return problemResponse(error, { status: 426, headers: { upgrade: 'websocket' } });
}
