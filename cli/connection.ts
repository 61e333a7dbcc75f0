import { BerthError } from '#shared/errors.ts';
import type { ContextStore } from './context-store.ts';
import type { ControlPlaneAddress } from './http.ts';

/**
 * The control plane to talk to: BERTH_URL (with BERTH_TOKEN), else the named context, else the current one. BERTH_TOKEN
 * alone replaces the context's token.
 *
 * @throws BerthError `context.none`, `context.unknown`, `cli.usage`
 */
export async function resolveAddress(
  contexts: ContextStore,
  contextName: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ControlPlaneAddress> {
  const url = environment['BERTH_URL'] ?? '';
  const token = environment['BERTH_TOKEN'] ?? '';
  if (url !== '' && contextName === undefined) return { url: checkedUrl(url), token };
  const found = await contexts.find(contextName);
  if (found === undefined) {
    throw new BerthError('invalid', 'context.none', 'no control plane is chosen', {
      remedy: 'Log in with `berth login URL`, or set BERTH_URL and BERTH_TOKEN.',
    });
  }
  return { url: found.url, token: token === '' || contextName !== undefined ? found.token : token };
}

/** An http or https URL without what follows its path. @throws BerthError `cli.usage` */
export function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === undefined || !isHttp || url.username !== '') {
    throw new BerthError('invalid', 'cli.usage', `"${text}" is not the URL of a control plane`, {
      remedy: 'Write it as https://berth.example.com or http://127.0.0.1:7700.',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
