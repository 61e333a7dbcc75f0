import { call } from '../../support/call-socket.ts';
import { dockerArchive } from '../../support/image.ts';
import { tar } from '../../support/tar.ts';
import { bulk, image } from '../operation.ts';
import type { RunnerUnderFire } from '../runner-under-fire.ts';
import { endCode, type ContainerWish, type KnownContainer, type Operation, type World } from './world.ts';

/** Of the host: each container has a file there, with a line for each of its runs. It outlasts every loss of power. */
export const runsDirectory = '/mnt';

/** Does it, and waits for the answer. @throws Error when it is refused */
export async function perform(runner: RunnerUnderFire, world: World, operation: Operation): Promise<void> {
  const target = { runner, name: '', running: '', created: '' };
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await call(runner.socketPath, method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  const known = (token: string): KnownContainer => {
    const container = world.containers[token];
    if (container === undefined) throw new Error(`there is no container ${token}`);
    return container;
  };
  switch (operation.kind) {
    case 'create':
      return void (await ask('POST', `/containers/create?name=${operation.wish.token}`, bodyOf(operation.wish)));
    case 'start':
    case 'kill':
      return void (await ask('POST', `/containers/${known(operation.token).name}/${operation.kind}`));
    case 'stop':
      return void (await ask('POST', `/containers/${known(operation.token).name}/stop?t=0`));
    case 'wait':
      return expectCode(known(operation.token), await ask('POST', `/containers/${known(operation.token).name}/wait`));
    case 'remove':
      return void (await ask('DELETE', `/containers/${known(operation.token).name}?force=1&v=1`));
    case 'rename':
      return void (await ask('POST', `/containers/${known(operation.token).name}/rename?name=${operation.name}`));
    case 'update': {
      const wanted = { RestartPolicy: { Name: operation.policy } };
      return void (await ask('POST', `/containers/${known(operation.token).name}/update`, wanted));
    }
    case 'connect':
    case 'disconnect': {
      const wanted = { Container: known(operation.token).name };
      return void (await ask('POST', `/networks/${operation.network}/${operation.kind}`, wanted));
    }
    case 'commit': {
      const [repository = ''] = operation.reference.split(':');
      const { name } = known(operation.token);
      return void (await ask('POST', `/commit?container=${name}&repo=${repository}&tag=1&pause=0`, {}));
    }
    case 'load':
      return bulk(target, 'POST', '/images/load?quiet=1', marked(operation.reference));
    case 'tag':
      return void (await ask('POST', `/images/${image}/tag?repo=${operation.reference.replace(':', '&tag=')}`));
    case 'untag':
      return void (await ask('DELETE', `/images/${operation.reference}`));
    case 'create-volume':
      return void (await ask('POST', '/volumes/create', { Name: operation.name }));
    case 'remove-volume':
      return void (await ask('DELETE', `/volumes/${operation.name}`));
    case 'create-network':
      return void (await ask('POST', '/networks/create', { Name: operation.name }));
    case 'remove-network':
      return void (await ask('DELETE', `/networks/${operation.name}`));
    default:
      throw operation satisfies never;
  }
}

function bodyOf({ token, program, policy, autoRemove, volume, anonymous, network }: ContainerWish): unknown {
  const rest = program === 'stay' ? 'exec sleep 100000' : `exit ${endCode}`;
  return {
    Image: image,
    Cmd: ['sh', '-c', `echo ran >> /runs/${token}; echo ${token} > /mark; ${rest}`],
    Labels: { token },
    ...(anonymous ? { Volumes: { '/anonymous': {} } } : {}),
    HostConfig: {
      AutoRemove: autoRemove,
      RestartPolicy: { Name: policy },
      Binds: [`${runsDirectory}:/runs`, ...(volume === null ? [] : [`${volume}:/etc`])],
      ...(network === null ? {} : { NetworkMode: network }),
    },
  };
}

function marked(reference: string): Buffer {
  return dockerArchive([{ reference, layers: [tar([{ name: 'mark', content: `${reference}\n` }])] }]);
}

/** How a container ended of whose end somebody was told. */
export function codeOf({ program }: ContainerWish): number {
  return program === 'end' ? endCode : 137;
}

function expectCode(container: KnownContainer, answer: unknown): void {
  const { StatusCode: code } = answer as { StatusCode: number };
  if (code !== codeOf(container)) throw new Error(`${container.name} ended with ${code}`);
}
