import { containerConfig, type ContainerConfig } from '../../runner/container/config.ts';
import type { StoredContainer } from '../../runner/container/state.ts';

/** The configuration of a container of whom nothing special is asked, but for what a test is about. */
export function plainConfig(change: Partial<ContainerConfig> = {}): ContainerConfig {
  return containerConfig.parse({
    name: 'web',
    image: 'hello:1',
    imageId: 'sha256:1',
    args: ['/bin/true'],
    environment: [],
    workingDirectory: '',
    user: '',
    hostname: change.name ?? 'web',
    labels: {},
    restart: { kind: 'no' },
    ports: [],
    publishGroup: change.name ?? 'web',
    ...change,
  });
}

/** A container that runs since 1970, but for what a test is about. */
export function plainRecord(change: Partial<StoredContainer> = {}): StoredContainer {
  return {
    id: 'a'.repeat(64),
    config: plainConfig(),
    state: 'running',
    desired: 'running',
    health: 'none',
    pid: 1,
    address: undefined,
    exitCode: undefined,
    oomKilled: false,
    paused: false,
    error: '',
    restarts: 0,
    createdAtMs: 0,
    startedAtMs: 0,
    finishedAtMs: undefined,
    restartAtMs: undefined,
    backoffMs: undefined,
    ...change,
  };
}
