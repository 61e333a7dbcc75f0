/** WebSocket close codes of a relay (RFC 6455 section 7.4.2: 4000-4999 are private). */
export const RELAY_CLOSE = {
  normal: 1000, // the other end closed normally
  protocol: 4400, // a frame that the relay's rules forbid
  timeout: 4408, // the other end did not dial in time
  lost: 4410, // the other end's connection broke
} as const;
