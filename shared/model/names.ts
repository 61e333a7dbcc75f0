import { z } from 'zod';

/** A name of a stack, service, host or token: a DNS label (RFC 1123), so that it can become a host name unchanged. */
export const objectName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be 1 to 63 of a-z, 0-9 and "-", with no "-" at either end');

/** An identifier made by `randomId`. */
export const objectId = z.string().regex(/^[0-9a-hjkmnp-tv-z]{20}$/, 'expected an id of 20 base-32 characters');
