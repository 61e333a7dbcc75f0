import { BerthError } from '#shared/errors.ts';
import { devicesAt, hostDevices } from '../os/devices.ts';
import { pathsOf, type EngineContext } from './engine-context.ts';
import { modeContainer, type IsolationConfig } from './isolation-config.ts';
import type { IsolationDefaults } from './isolation-defaults.ts';
import { hasOwnProcesses, type IsolationContext } from './isolation-spec.ts';
import type { StoredContainer } from './state.ts';

/** Whether a container has a user namespace of its own. */
export function isRemapped(config: IsolationConfig, defaults: Pick<IsolationDefaults, 'remapsAll'>): boolean {
  return config.usernsMode === 'private' || (config.usernsMode === '' && defaults.remapsAll);
}

/**
 * Finds out what a start needs of the host.
 *
 * @param joined what `joinedNamespaces` holds
 * @throws BerthError `device.unknown`, `device.no-driver` with dockerd's texts
 */
export function isolationContext(
  context: EngineContext,
  { id, config }: StoredContainer,
  joined: IsolationContext['joined'],
): IsolationContext {
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
    joined,
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

/** No driver hands out devices here, so that every request fails, as with a dockerd that has none. */
function refuseRequests({ deviceRequests }: IsolationConfig): void {
  const [request] = deviceRequests;
  if (request === undefined) return;
  const sets = request.capabilities.map((set) => `[${set.join(' ')}]`).join(' ');
  const text = `could not select device driver ${JSON.stringify(request.driver)} with capabilities: [${sets}]`;
  throw new BerthError('internal', 'device.no-driver', text);
}
