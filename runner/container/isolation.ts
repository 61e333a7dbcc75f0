import { BerthError } from '#shared/errors.ts';
import { devicesAt, hostDevices } from '../os/devices.ts';
import type { SecurityFacts } from '../os/security-facts.ts';
import type { IdMappings } from '../os/subordinate-ids.ts';
import { pathsOf, type EngineContext } from './engine-context.ts';
import { modeContainer, type IsolationConfig } from './isolation-config.ts';
import { hasOwnProcesses, type IsolationContext } from './isolation-spec.ts';
import type { StoredContainer } from './state.ts';

/** What the runner does for containers that say nothing of it, and with what. */
export interface IsolationDefaults {
  readonly facts: SecurityFacts;
  /** The ids of containers with a user namespace of their own. */
  readonly idMappings: IdMappings;
  /** Whether that is every container. */
  readonly remapsAll: boolean;
  readonly initPath: string;
  /** Whether every container runs under an init. */
  readonly init: boolean;
}

/** Whether a container has a user namespace of its own. */
export function isRemapped(config: IsolationConfig, defaults: Pick<IsolationDefaults, 'remapsAll'>): boolean {
  return config.usernsMode === 'private' || (config.usernsMode === '' && defaults.remapsAll);
}

/**
 * Finds out what a start needs of other containers and of the host.
 *
 * @throws BerthError `container.namespace-shared` when a container whose namespace is joined does not run or does not
 * share it, `device.unknown`, `device.no-driver`; with dockerd's texts
 */
export function isolationContext(context: EngineContext, { id, config }: StoredContainer): IsolationContext {
  const { isolation } = context;
  refuseRequests(config);
  const own = config.privileged ? hostDevices().map((device) => ({ device, permissions: 'rwm' })) : [];
  const asked = config.devices
    .filter((one) => !config.privileged || one.pathOnHost !== one.pathInContainer)
    .flatMap(({ pathOnHost, pathInContainer, permissions }) =>
      devicesAt(pathOnHost, pathInContainer).map((device) => ({ device, permissions })),
    );
  const init = hasOwnProcesses(config) && (config.init ?? isolation.init);
  return {
    capabilities: isolation.facts.capabilities,
    joined: joinedProcesses(context, config),
    ...sharedMemory(context, id, config),
    ...(isRemapped(config, isolation) ? { idMappings: isolation.idMappings } : {}),
    devices: [...own, ...asked],
    ...(init ? { initPath: isolation.initPath } : {}),
  };
}

/** Where /dev/shm comes from when it is not the container's own. */
function sharedMemory(
  context: EngineContext,
  id: string,
  { ipcMode }: IsolationConfig,
): Pick<IsolationContext, 'sharedMemory'> {
  if (ipcMode === 'host') return { sharedMemory: '/dev/shm' };
  const owner = ipcMode === 'shareable' ? id : modeContainer(ipcMode);
  return owner === undefined ? {} : { sharedMemory: pathsOf(context, owner).shm };
}

function joinedProcesses(context: EngineContext, config: IsolationConfig): IsolationContext['joined'] {
  const ipc = modeContainer(config.ipcMode);
  const pid = modeContainer(config.pidMode);
  return {
    ...(ipc === undefined ? {} : { ipc: processOf(context, config, 'IPC', ipc) }),
    ...(pid === undefined ? {} : { pid: processOf(context, config, 'PID', pid) }),
  };
}

/** The first process of a running container whose namespace is joined. */
function processOf(context: EngineContext, config: IsolationConfig, type: 'IPC' | 'PID', id: string): number {
  const fail = (kind: 'conflict' | 'invalid' | 'internal', why: string): BerthError =>
    // A fault in making the spec is dockerd's own; that of IPC is found before.
    new BerthError(
      type === 'PID' ? 'internal' : kind,
      'container.namespace-shared',
      `failed to join ${type} namespace: ${why}`,
    );
  const other = context.store.find(id);
  if (other === undefined) throw fail('invalid', `No such container: ${id}`);
  if (other.state === 'restarting') {
    throw fail('conflict', `Container ${id} is restarting, wait until the container is running`);
  }
  if (other.state !== 'running') throw fail('conflict', `container ${id} is not running`);
  if (type === 'IPC' && other.config.ipcMode !== 'shareable') {
    const hint = 'non-shareable IPC (hint: use IpcMode:shareable for the donor container)';
    throw fail('invalid', `container ${id}: ${hint}`);
  }
  if (isRemapped(other.config, context.isolation) !== isRemapped(config, context.isolation)) {
    throw fail('invalid', `container ${id} has another user namespace, give both the same --userns`);
  }
  return other.pid;
}

/** No driver hands out devices here, so that every request fails, as with a dockerd that has none. */
function refuseRequests({ deviceRequests }: IsolationConfig): void {
  const [request] = deviceRequests;
  if (request === undefined) return;
  const sets = request.capabilities.map((set) => `[${set.join(' ')}]`).join(' ');
  const text = `could not select device driver ${JSON.stringify(request.driver)} with capabilities: [${sets}]`;
  throw new BerthError('internal', 'device.no-driver', text);
}
