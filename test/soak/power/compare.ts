import { codeOf } from './perform.ts';
import type { KnownContainer, World } from './world.ts';

/** What this reads of a container's inspection. */
export interface Inspected {
  readonly Name: string;
  readonly State: { readonly Status: string; readonly ExitCode: number };
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
  readonly HostConfig: { readonly RestartPolicy: { readonly Name: string }; readonly AutoRemove: boolean };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> };
  readonly Mounts: readonly { readonly Type: string; readonly Name?: string; readonly Destination: string }[];
}

/** Of a container of whose end nothing is on disk. */
const lostCode = 255;

/** What the runner says that there is of one worker's, after a loss of power. */
export interface Observed {
  readonly containers: readonly Inspected[];
  readonly volumes: readonly string[];
  readonly networks: readonly string[];
  /** References with what `/mark` says in the image. */
  readonly images: Readonly<Record<string, string | null>>;
  /** By token: how often its process has run, until the runner came back and until now. */
  readonly runs: Readonly<Record<string, { readonly before: number; readonly now: number }>>;
}

/** Where what there should be and what is there differ. */
export function differences(world: World, observed: Observed): readonly string[] {
  const byToken = new Map(observed.containers.map((one) => [one.Config.Labels['token'] ?? '', one]));
  return [
    ...sameNames('containers', Object.keys(world.containers), [...byToken.keys()]),
    ...sameNames('volumes', world.volumes, observed.volumes),
    ...sameNames('networks', world.networks, observed.networks),
    ...sameNames('images', entries(world.images), entries(observed.images)),
    ...Object.values(world.containers).flatMap((container) => {
      const one = byToken.get(container.token);
      return one === undefined ? [] : differencesOf(container, one, observed.runs[container.token]);
    }),
  ];
}

function entries(images: Readonly<Record<string, string | null>>): readonly string[] {
  return Object.entries(images).map(([reference, mark]) => `${reference} (${mark ?? 'a further name'})`);
}

function sameNames(what: string, expected: readonly string[], found: readonly string[]): readonly string[] {
  const [one, other] = [expected.toSorted().join(' '), found.toSorted().join(' ')];
  return one === other ? [] : [`${what} should be [${one}], and are [${other}]`];
}

function differencesOf(
  container: KnownContainer,
  inspected: Inspected,
  runs: { readonly before: number; readonly now: number } = { before: 0, now: 0 },
): readonly string[] {
  const { State: state, HostConfig: host, Mounts: mounts } = inspected;
  const { starts, repeats } = container;
  const found: string[] = [];
  const same = (what: string, expected: unknown, is: unknown): void => {
    if (expected !== is) found.push(`${container.token}: ${what} should be ${String(expected)}, and is ${String(is)}`);
  };
  same('its name', `/${container.name}`, inspected.Name);
  same('its policy', container.policy, host.RestartPolicy.Name);
  same('its removal', container.autoRemove, host.AutoRemove);
  same('its volume', container.volume ?? undefined, mounts.find((one) => one.Destination === '/etc')?.Name);
  same(
    'its volume without a name',
    container.anonymous,
    mounts.some((one) => one.Destination === '/anonymous'),
  );
  const networks = Object.keys(inspected.NetworkSettings.Networks).toSorted().join(' ');
  same('its networks', container.networks.toSorted().join(' '), networks);
  same('its state', statusOf(container), state.Status);
  if (container.state === 'stopped') same('its exit code', codeOf(container), state.ExitCode);
  // Who only waited for it may be told before it is on disk.
  if (container.state === 'ended' && state.ExitCode !== lostCode) {
    same('its exit code', codeOf(container), state.ExitCode);
  }
  if (statusOf(container) !== 'running') same('its runs after the loss of power', runs.before, runs.now);
  if (!repeats && runs.now > starts) found.push(`${container.token} ran ${runs.now} times, and was started ${starts}`);
  return found;
}

function statusOf({ state }: KnownContainer): string {
  if (state === 'created') return 'created';
  return state === 'started' ? 'running' : 'exited';
}
