import type { TokenScope } from '#shared/api/tokens.ts';

export type { TokenScope } from '#shared/api/tokens.ts';

/** What a request does, as far as rights are concerned: the least scope that may do it. */
export type Action = 'see' | 'deploy' | 'administer';

const allowed: Readonly<Record<TokenScope, ReadonlySet<Action>>> = {
  read: new Set<Action>(['see']),
  deploy: new Set<Action>(['see', 'deploy']),
  admin: new Set<Action>(['see', 'deploy', 'administer']),
};

/** True when a token of this scope may do this. */
export function mayDo(scope: TokenScope, action: Action): boolean {
  return allowed[scope].has(action);
}

/** The least scope that may do this; what the refusal tells its reader to use. */
export function scopeFor(action: Action): TokenScope {
  switch (action) {
    case 'see':
      return 'read';
    case 'deploy':
      return 'deploy';
    case 'administer':
      return 'admin';
    default:
      return action satisfies never;
  }
}
