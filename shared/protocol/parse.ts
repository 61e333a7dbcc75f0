import { z } from 'zod';
import { BerthError } from '../errors.ts';
import { MAX_CONTROL_FRAME_BYTES, PROTOCOL_VERSION } from './control.ts';

/**
 * One control-channel frame, checked.
 *
 * @throws BerthError `protocol.frame-too-large`, `protocol.malformed`, `protocol.version` (a frame that carries another
 * protocol version, named together with ours) or `protocol.unknown-kind`
 */
export function parseFrame<Schema extends z.ZodType>(schema: Schema, text: string): z.infer<Schema> {
  const bytes = new TextEncoder().encode(text).byteLength;
  if (bytes > MAX_CONTROL_FRAME_BYTES) {
    throw new BerthError(
      'too-large',
      'protocol.frame-too-large',
      `control channel: a frame of ${bytes} bytes is over the limit of ${MAX_CONTROL_FRAME_BYTES}`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BerthError('invalid', 'protocol.malformed', 'control channel: a frame is not JSON', { cause });
  }
  const envelope = z.object({ kind: z.string(), protocol: z.unknown().optional() }).safeParse(value);
  if (!envelope.success) {
    throw new BerthError('invalid', 'protocol.malformed', 'control channel: a frame has no "kind"');
  }
  const { kind, protocol } = envelope.data;
  if (protocol !== undefined && protocol !== PROTOCOL_VERSION) {
    throw new BerthError(
      'invalid',
      'protocol.version',
      `control channel: the peer speaks protocol ${JSON.stringify(protocol)}, this end speaks ${PROTOCOL_VERSION}`,
      { remedy: 'Upgrade the older of the two; a runner and a control plane of one release speak the same version.' },
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BerthError(
    'invalid',
    'protocol.malformed',
    `control channel: a message of kind "${kind.slice(0, 64)}" is not one of protocol ${PROTOCOL_VERSION}: ${z.prettifyError(parsed.error)}`,
  );
}
