import type { Random } from '../../support/random.ts';
import type { ContainerWish, KnownContainer, Operation, Policy, World } from './world.ts';

/** No worker has more, so that what comes back with the power does not take the time of all. */
const mostContainers = 6;
const most = 3;

/**
 * Something that can be done to this world.
 *
 * @param fresh answers a name that nothing has had
 */
export function chooseOperation(world: World, random: Random, fresh: () => string): Operation {
  const possible = [
    ...Object.values(world.containers).flatMap((container) => ofContainer(container, world, random, fresh)),
    ...ofOthers(world, random, fresh),
  ];
  const creations = Object.keys(world.containers).length < mostContainers ? Math.ceil(possible.length / 3) : 0;
  const index = random.below(possible.length + creations);
  return possible[index] ?? { kind: 'create', wish: wish(world, random, fresh()) };
}

function wish(world: World, random: Random, token: string): ContainerWish {
  const program = random.pick<ContainerWish['program']>(['stay', 'stay', 'end']);
  const autoRemove = random.next() < 0.25;
  const policy = random.pick<Policy>(['no', 'no', 'on-failure', 'unless-stopped', 'always']);
  return {
    token,
    program,
    autoRemove,
    policy: program === 'end' || autoRemove ? 'no' : policy,
    volume: random.next() < 0.3 ? random.pick([`${token}-etc`, ...world.volumes]) : null,
    anonymous: random.next() < 0.3,
    network: random.next() < 0.4 ? (world.networks[random.below(world.networks.length)] ?? null) : null,
  };
}

function ofContainer(container: KnownContainer, world: World, random: Random, fresh: () => string): Operation[] {
  const { token, state, program, autoRemove, networks } = container;
  if (state === 'leaving') return [];
  const runs = state === 'started' && program === 'stay';
  const found: Operation[] = [{ kind: 'rename', token, name: fresh() }];
  // What ends by itself, or was signalled, may do so while something else is done, and that is then refused.
  if (state === 'signalled' || (state === 'started' && !runs)) return [...found, { kind: 'wait', token }];
  if (state !== 'started') found.push({ kind: 'start', token }, { kind: 'start', token }, { kind: 'remove', token });
  if (runs) found.push({ kind: 'stop', token }, { kind: 'kill', token }, { kind: 'remove', token });
  if (runs && Object.keys(world.images).length < most) found.push({ kind: 'commit', token, reference: `${fresh()}:1` });
  if (program === 'stay' && !autoRemove) {
    found.push({ kind: 'update', token, policy: random.pick<Policy>(['no', 'unless-stopped', 'always']) });
  }
  for (const network of world.networks) {
    found.push({ kind: networks.includes(network) ? 'disconnect' : 'connect', token, network });
  }
  return found;
}

function ofOthers(world: World, random: Random, fresh: () => string): Operation[] {
  const containers = Object.values(world.containers);
  const free = (names: readonly string[], used: (container: KnownContainer) => readonly (string | null)[]): string[] =>
    names.filter((name) => !containers.some((container) => used(container).includes(name)));
  const found: Operation[] = [];
  if (world.volumes.length < most) found.push({ kind: 'create-volume', name: fresh() });
  if (world.networks.length < most) found.push({ kind: 'create-network', name: fresh() });
  const references = Object.keys(world.images);
  if (references.length < most) {
    found.push({ kind: 'tag', reference: `${fresh()}:1` }, { kind: 'load', reference: `${fresh()}:1` });
  }
  for (const name of free(world.volumes, ({ volume }) => [volume])) found.push({ kind: 'remove-volume', name });
  for (const name of free(world.networks, ({ networks }) => networks)) found.push({ kind: 'remove-network', name });
  for (const reference of references) found.push({ kind: 'untag', reference });
  return found.filter(() => random.next() < 0.7);
}
