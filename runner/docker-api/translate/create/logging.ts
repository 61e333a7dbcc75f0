/** What a creation says of its log, as inspect tells it. */
export function loggingDocument(): Readonly<Record<string, unknown>> {
  return { LogConfig: { Type: 'json-file', Config: {} } };
}
