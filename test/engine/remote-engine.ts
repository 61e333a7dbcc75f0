import { RemoteProgram } from '../support/remote-program.ts';
import type { EngineMethods } from './engine-host.ts';

/** An engine in its own process and network namespace. */
export class RemoteEngine extends RemoteProgram<EngineMethods> {
  /** It recovers its data root before `ready` resolves. `driver`: the storage driver, when it must be that one. */
  static spawn(namespace: string, root: string, driver?: string): { engine: RemoteEngine; ready: Promise<void> } {
    const rest = driver === undefined ? [] : [driver];
    const engine = new RemoteEngine(namespace, new URL('engine-host.ts', import.meta.url), root, ...rest);
    return { engine, ready: engine.ready };
  }

  static async start(namespace: string, root: string, driver?: string): Promise<RemoteEngine> {
    const { engine, ready } = RemoteEngine.spawn(namespace, root, driver);
    await ready;
    return engine;
  }
}
