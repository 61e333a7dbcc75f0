import { altogether, growth } from './guest-containers.ts';
import type { GuestHost } from './guest-host.ts';

/** Microseconds of processor time. */
export interface PauseReport {
  /** cgroup.freeze and the word of cgroup.events while it was paused. */
  readonly frozen: readonly string[];
  /** What it used while it was paused and another, beside it, used half a second. */
  readonly paused: number;
  /** What it used after that. */
  readonly resumed: number;
}

export async function observePause(host: GuestHost): Promise<PauseReport> {
  const spin = 'while :; do :; done';
  const [still, other] = [await host.start(spin), await host.start(spin)];
  const used = [still, other].map((one) => () => one.count('cpu.stat', 'usage_usec'));
  await host.engine.call('pause', still.id);
  const [paused = NaN] = await growth(used, altogether(500_000));
  const frozen = [await still.file('cgroup.freeze'), `${await still.count('cgroup.events', 'frozen')}`];
  await host.engine.call('unpause', still.id);
  const [resumed = NaN] = await growth(used.slice(0, 1), altogether(200_000));
  for (const container of [still, other]) await container.end('SIGKILL');
  return { frozen, paused, resumed };
}
