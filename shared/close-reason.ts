/** A text as the reason of a WebSocket's close, which may have 123 bytes of UTF-8 (RFC 6455 section 5.5): cut, and in ASCII. */
export function closeReason(text: string): string {
  return text.replaceAll(/[^ -~]/g, '?').slice(0, 120);
}
