import type { ContainerRecord } from './engine.ts';

/**
 * A container that needs the image, in words for an error; undefined when none does. Also one that is stopped: it could not
 * be started again. A running one is named rather than a stopped one.
 */
export function imageUser(containers: readonly ContainerRecord[], imageId: string): string | undefined {
  const users = containers.filter(({ config }) => config.imageId === imageId);
  const user = users.find(({ state }) => state === 'running') ?? users[0];
  if (user === undefined) return undefined;
  const how = user.state === 'running' ? 'running' : 'stopped';
  return `${how} container ${user.id.slice(0, 12)} (${user.config.name})`;
}
