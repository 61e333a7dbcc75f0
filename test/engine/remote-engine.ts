import { RemoteProgram } from '../support/remote-program.ts';
import type { EngineMethods } from './engine-host.ts';

/** An engine in its own process and network namespace. */
export class RemoteEngine extends RemoteProgram<EngineMethods> {
  /** It recovers its data root before `ready` resolves. */
  static spawn(namespace: string, root: string): { engine: RemoteEngine; ready: Promise<void> } {
    const engine = new RemoteEngine(namespace, new URL('engine-host.ts', import.meta.url), root);
    return { engine, ready: engine.ready };
  }

  static async start(namespace: string, root: string): Promise<RemoteEngine> {
    const { engine, ready } = RemoteEngine.spawn(namespace, root);
    await ready;
    return engine;
  }
}
