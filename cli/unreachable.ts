import { BerthError, errorText } from '#shared/errors.ts';

const tlsRemedies: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'Renew the certificate of the control plane, and check the clock of this machine.'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'Use the name that the certificate was issued for.'],
  ['EPROTO', 'The port may speak plain HTTP: try http:// in place of https://.'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'The port speaks plain HTTP: use http:// in place of https://.'],
]);

const trustRemedy =
  'If the control plane has its own authority, name its certificate: NODE_EXTRA_CA_CERTS=FILE berth …';

/** The error for a control plane that gave no answer, from what `fetch` or a WebSocket failed with. */
export function unreachable(url: string, error: unknown): BerthError {
  const { code, text } = deepestCause(error);
  if (code === 'TimeoutError') {
    return new BerthError('unavailable', 'control-plane.timeout', `${url} did not answer in time`, {
      cause: error,
      remedy: 'Try again; if it persists, read the log of the control plane.',
    });
  }
  if (isTls(code)) {
    return new BerthError('unavailable', 'control-plane.tls', `${url}: no trusted TLS connection: ${text}`, {
      cause: error,
      remedy: tlsRemedies.get(code) ?? trustRemedy,
    });
  }
  return new BerthError('unavailable', 'control-plane.unreachable', `${url} cannot be reached: ${text}`, {
    cause: error,
    remedy: remedyOf(code, url),
  });
}

function remedyOf(code: string, url: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return `Nothing listens there: start it (berth control-plane --listen ${new URL(url).host}), or log in to another one.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'The name is not known: check the URL and the name servers of this machine.';
    default:
      return 'Check the URL, the network and any firewall between.';
  }
}

function isTls(code: string): boolean {
  return (
    tlsRemedies.has(code) ||
    code.includes('CERT') ||
    code.includes('TLS') ||
    code.includes('SSL') ||
    code.includes('VERIFY')
  );
}

/** `fetch` wraps the reason, and a connection to several addresses wraps several: the innermost tells most. */
function deepestCause(error: unknown): { readonly code: string; readonly text: string } {
  let current: unknown = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    const inner: unknown = current instanceof AggregateError ? current.errors[0] : current.cause;
    if (!(inner instanceof Error)) break;
    current = inner;
  }
  const code = (current as NodeJS.ErrnoException | undefined)?.code;
  const name = current instanceof Error ? current.name : '';
  return { code: typeof code === 'string' ? code : name, text: withoutOpensslPlaces(errorText(current).trim()) };
}

/** OpenSSL says `thread:error:number:library:function:reason:file:line:`, of which the reason is for people. */
function withoutOpensslPlaces(text: string): string {
  return /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(text)?.[1] ?? text;
}
