/**
 * What one worker has been told that there is, by the answers that it got. Pure: a loss of power may take nothing of it,
 * and what was asked and not yet answered is either in it or not.
 */
export interface World {
  /** By their tokens: the names under which they were created. */
  readonly containers: Readonly<Record<string, KnownContainer>>;
  readonly volumes: readonly string[];
  readonly networks: readonly string[];
  /** References of images, with what their file `/mark` says; undefined for a further name of the test's image. */
  readonly images: Readonly<Record<string, string | null>>;
}

export type Policy = 'no' | 'on-failure' | 'unless-stopped' | 'always';

export interface ContainerWish {
  readonly token: string;
  readonly policy: Policy;
  /** It stays until it is stopped, or ends by itself, with `endCode`. */
  readonly program: 'stay' | 'end';
  readonly autoRemove: boolean;
  /** On its /etc, with what the image has there. */
  readonly volume: string | null;
  /** Besides, it has a volume without a name. */
  readonly anonymous: boolean;
  readonly network: string | null;
}

export interface KnownContainer extends ContainerWish {
  readonly name: string;
  readonly networks: readonly string[];
  /**
   * `signalled`: its end is asked for; `leaving`: and then it goes by itself; `lost`: it ended with its host, or before
   * and nobody was told.
   */
  readonly state: 'created' | 'started' | 'signalled' | 'stopped' | 'ended' | 'leaving' | 'lost';
  /** How often a start was answered. */
  readonly starts: number;
  /** It has had a policy by which it is started again. */
  readonly repeats: boolean;
}

export type Operation =
  | { readonly kind: 'create'; readonly wish: ContainerWish }
  | { readonly kind: 'start' | 'stop' | 'kill' | 'wait' | 'remove'; readonly token: string }
  | { readonly kind: 'rename'; readonly token: string; readonly name: string }
  | { readonly kind: 'update'; readonly token: string; readonly policy: Policy }
  | { readonly kind: 'connect' | 'disconnect'; readonly token: string; readonly network: string }
  | { readonly kind: 'commit'; readonly token: string; readonly reference: string }
  | { readonly kind: 'load' | 'tag' | 'untag'; readonly reference: string }
  | { readonly kind: 'create-volume' | 'remove-volume' | 'create-network' | 'remove-network'; readonly name: string };

/** Of a program that ends by itself. */
export const endCode = 3;

export const emptyWorld: World = { containers: {}, volumes: [], networks: [], images: {} };

/** What there is when the operation has been done. */
export function after(world: World, operation: Operation): World {
  switch (operation.kind) {
    case 'create':
      return created(world, operation.wish);
    case 'start':
      return changed(world, operation.token, ({ starts, autoRemove, program }) => ({
        starts: starts + 1,
        state: autoRemove && program === 'end' ? 'leaving' : 'started',
      }));
    case 'stop':
      return changed(world, operation.token, ({ autoRemove }) => ({ state: autoRemove ? 'leaving' : 'stopped' }));
    case 'kill':
      return changed(world, operation.token, ({ autoRemove }) => ({ state: autoRemove ? 'leaving' : 'signalled' }));
    case 'wait':
      return changed(world, operation.token, () => ({ state: 'ended' }));
    case 'remove': {
      const { [operation.token]: _removed, ...containers } = world.containers;
      return { ...world, containers };
    }
    case 'rename':
      return changed(world, operation.token, () => ({ name: operation.name }));
    case 'update': {
      const { policy } = operation;
      return changed(world, operation.token, ({ repeats }) => ({ policy, repeats: repeats || policy !== 'no' }));
    }
    case 'connect':
      return changed(world, operation.token, ({ networks }) => ({ networks: [...networks, operation.network] }));
    case 'disconnect':
      return changed(world, operation.token, ({ networks }) => ({
        networks: networks.filter((name) => name !== operation.network),
      }));
    case 'commit':
      return { ...world, images: { ...world.images, [operation.reference]: operation.token } };
    case 'load':
      return { ...world, images: { ...world.images, [operation.reference]: operation.reference } };
    case 'tag':
      return { ...world, images: { ...world.images, [operation.reference]: null } };
    case 'untag': {
      const { [operation.reference]: _untagged, ...images } = world.images;
      return { ...world, images };
    }
    case 'create-volume':
      return { ...world, volumes: [...world.volumes, operation.name] };
    case 'remove-volume':
      return { ...world, volumes: world.volumes.filter((name) => name !== operation.name) };
    case 'create-network':
      return { ...world, networks: [...world.networks, operation.name] };
    case 'remove-network':
      return { ...world, networks: world.networks.filter((name) => name !== operation.name) };
    default:
      throw operation satisfies never;
  }
}

/**
 * What there may be when the operation was under way: nothing of it, all of it, or, of a removal by force, the end of the
 * container, with which it begins.
 */
export function stages(world: World, operation: Operation | undefined): readonly World[] {
  if (operation === undefined) return [world];
  const whole = [world, after(world, operation)];
  if (operation.kind !== 'remove' || world.containers[operation.token]?.state !== 'started') return whole;
  return [...whole, changed(world, operation.token, () => ({ state: 'signalled' }))];
}

function created(world: World, wish: ContainerWish): World {
  const { token, volume, network, policy } = wish;
  const container: KnownContainer = {
    ...wish,
    name: token,
    networks: [network ?? 'bridge'],
    state: 'created',
    starts: 0,
    repeats: policy !== 'no',
  };
  const isNew = volume !== null && !world.volumes.includes(volume);
  return {
    ...world,
    containers: { ...world.containers, [token]: container },
    volumes: isNew ? [...world.volumes, volume] : world.volumes,
  };
}

function changed(world: World, token: string, change: (container: KnownContainer) => Partial<KnownContainer>): World {
  const container = world.containers[token];
  if (container === undefined) throw new Error(`there is no container ${token}`);
  return { ...world, containers: { ...world.containers, [token]: { ...container, ...change(container) } } };
}

/**
 * What there is when the host has come back: what was to remove itself is gone, and a policy has started again what it
 * is for, also what was stopped, as with Docker, when it is `always`.
 */
export function afterPowerLoss(world: World): World {
  const containers: Record<string, KnownContainer> = {};
  for (const [token, container] of Object.entries(world.containers)) {
    if (container.state !== 'created' && container.autoRemove) continue;
    containers[token] = { ...container, state: stateAfterPowerLoss(container) };
  }
  return { ...world, containers };
}

function stateAfterPowerLoss({ state, policy }: KnownContainer): KnownContainer['state'] {
  if (state === 'created') return 'created';
  if (policy === 'always' || (policy === 'unless-stopped' && state === 'started')) return 'started';
  return state === 'started' || state === 'signalled' ? 'lost' : state;
}
