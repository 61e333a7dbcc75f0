import { BerthError } from '#shared/errors.ts';
import type { ContainerRecord, Engine } from '../../runner/container/engine.ts';

/** For tests of what stands above the engine: it holds these containers, and does nothing but what `over` does. */
export function engineWithout(containers: readonly ContainerRecord[] = [], over: Partial<Engine> = {}): Engine {
  const refuse = () =>
    Promise.reject(new BerthError('unsupported', 'test.no-engine', 'there is no engine in this test'));
  return {
    create: refuse,
    start: refuse,
    stop: refuse,
    kill: refuse,
    remove: refuse,
    wait: refuse,
    logs: () => {
      throw new BerthError('unsupported', 'test.no-engine', 'there is no engine in this test');
    },
    exec: refuse,
    find: (reference) => containers.find((record) => record.id === reference),
    list: () => containers,
    onChange: () => ({ [Symbol.dispose]: () => {} }),
    ...over,
  };
}
