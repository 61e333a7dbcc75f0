import { BerthError } from '#shared/errors.ts';

/** Which namespaces a container has for itself, or shares with a container, and not with the host. */
export interface OwnNamespaces {
  readonly ipc: boolean;
  readonly network: boolean;
  readonly uts: boolean;
}

const systemV = /^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/;

/** Dots, also where a name was written with slashes, as sysctl(8) takes it. */
export function dottedSysctl(name: string): string {
  const [separator] = /[./]/.exec(name) ?? [];
  if (separator !== '/') return name;
  return name.replaceAll(/[./]/g, (found) => (found === '/' ? '.' : '/'));
}

/**
 * Refuses what is not the container's own to set, by runc's rules (libcontainer/configs/validate).
 *
 * @throws BerthError `sysctl.refused` with runc's texts
 */
export function checkSysctl(written: string, own: OwnNamespaces): void {
  const name = dottedSysctl(written);
  if (systemV.test(name) || name.startsWith('fs.mqueue.')) {
    if (!own.ipc) throw refused(written, 'is not allowed in the hosts ipc namespace');
    return;
  }
  if (name.startsWith('net.')) {
    if (!own.network) throw refused(written, 'not allowed in host network namespace');
    return;
  }
  if (own.uts && name === 'kernel.domainname') return;
  if (own.uts && name === 'kernel.hostname') {
    throw refused(written, 'is not allowed as it conflicts with the OCI "hostname" field');
  }
  throw refused(written, 'is not in a separate kernel namespace');
}

function refused(name: string, why: string): BerthError {
  return new BerthError('invalid', 'sysctl.refused', `sysctl ${JSON.stringify(name.slice(0, 160))} ${why}`);
}
