import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { hostArchitecture } from '../os/facts.ts';
import { thermalThrottlePath } from '../security/paths.ts';
import { Attachments } from './attachments.ts';
import { ContainerEngine } from './container-engine.ts';
import type { ContainerControl } from './control.ts';
import type { Engine } from './engine.ts';
import type { EngineDependencies } from './engine-context.ts';
import { Reservations } from './reservations.ts';
import { ContainerStore } from './state.ts';
import type { RunnerDatabase } from '../runner-database.ts';

export interface EngineOptions extends EngineDependencies {
  readonly database: RunnerDatabase;
}

/**
 * The engine of one data root. When it resolves, records and kernel agree: what an earlier runner left running is
 * adopted, what it left half done is finished or undone.
 *
 * Disposing it leaves the containers running.
 */
export async function createEngine(options: EngineOptions): Promise<Engine & ContainerControl & AsyncDisposable> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const engine = new ContainerEngine(
    {
      ...options,
      store: new ContainerStore(options.database),
      architecture: hostArchitecture(),
      kernel: release(),
      hostMaskedPaths: cpus()
        .map((_, cpu) => thermalThrottlePath(cpu))
        .filter((path) => existsSync(path)),
      live: new Map(),
      attachments: new Attachments(),
      reservations: new Reservations(join(options.cgroup.mountPoint, options.cgroup.path), (text) =>
        options.log('warn', text),
      ),
    },
    options.database,
  );
  await engine.recover();
  return engine;
}
