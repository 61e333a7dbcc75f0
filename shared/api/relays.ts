import { z } from 'zod';
import { objectId, objectName } from '../model/names.ts';

/** POST /v1/relays: open a relay to the host of a task, or to a named host. */
export const createRelayRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('exec'), taskId: objectId }),
  z.object({ type: z.literal('logs'), taskId: objectId }),
  z.object({ type: z.literal('image-load'), host: objectName }),
]);

/**
 * Dial `path` on the control plane by WebSocket, with `token` as bearer, within 30 s. The relay's frames begin at once;
 * what is sent before the host has dialled in waits within the initial credit.
 */
export const createdRelay = z.object({ relayId: objectId, path: z.string(), token: z.string() });
