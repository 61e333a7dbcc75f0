import { BerthError } from '#shared/errors.ts';
import type { RestartPolicy } from '#shared/model/service.ts';
import type { HostConfigBody } from '../create-request.ts';

/** @throws BerthError `docker.restart-policy` with dockerd's texts */
export function restartPolicyOf({ RestartPolicy: policy, AutoRemove: autoRemove }: HostConfigBody): RestartPolicy {
  const name = policy?.Name || 'no';
  const retries = policy?.MaximumRetryCount ?? 0;
  if (autoRemove === true && name !== 'no') throw badPolicy("can't create 'AutoRemove' container with restart policy");
  if (retries < 0) throw badPolicy('invalid restart policy: maximum retry count cannot be negative');
  if (retries > 0 && name !== 'on-failure') {
    throw badPolicy("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  }
  switch (name) {
    case 'no':
    case 'always':
    case 'unless-stopped':
      return { kind: name };
    case 'on-failure':
      return retries === 0 ? { kind: name } : { kind: name, maxRetries: retries };
    default:
      throw badPolicy(
        `invalid restart policy: unknown policy '${name.slice(0, 40)}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
}

function badPolicy(text: string): BerthError {
  return new BerthError('invalid', 'docker.restart-policy', text);
}
