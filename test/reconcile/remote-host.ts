import { RemoteProgram } from '../support/remote-program.ts';
import type { HostMethods } from './host.ts';

/** A reconciler over a real engine, in its own process and network namespace. */
export class RemoteHost extends RemoteProgram<HostMethods> {
  static async start(namespace: string, root: string): Promise<RemoteHost> {
    const host = new RemoteHost(namespace, new URL('host.ts', import.meta.url), root);
    await host.ready;
    return host;
  }
}
