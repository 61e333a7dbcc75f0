import { expect, test } from 'vitest';
import { plainConfig, plainRecord } from '../../../test/support/plain-container.ts';
import type { ContainerRecord } from '../../container/engine.ts';
import { chosenContainers } from './container-filter.ts';
import { eventsOfChange } from './event-message.ts';
import { parseFilters } from './filters.ts';
import { containerFilterNames } from './container-filter.ts';

function record(name: string, over: Partial<ContainerRecord> = {}): ContainerRecord {
  const config = plainConfig({ name, image: 'busybox', labels: { tier: name } });
  return plainRecord({ id: name.padEnd(64, '0'), config, createdAtMs: 1, startedAtMs: undefined, ...over });
}

const records = [
  record('a1', { createdAtMs: 1 }),
  record('b2', { createdAtMs: 2, state: 'exited', exitCode: 3 }),
  record('c3', { createdAtMs: 3, state: 'created' }),
];

function names(filters: object, rest: { all?: boolean; limit?: number } = {}): string[] {
  const parsed = parseFilters(JSON.stringify(filters), containerFilterNames);
  const choice = {
    filters: parsed,
    all: rest.all ?? false,
    limit: rest.limit,
    imageId: () => 'sha256:1',
    isNetwork: (network: string, reference: string) => network === reference,
  };
  return chosenContainers(records, choice).map(({ config }) => config.name);
}

test('running ones alone; all; the newest; by state, exit code, name, id, label, age', () => {
  expect(names({})).toEqual(['a1']);
  expect(names({}, { all: true })).toEqual(['c3', 'b2', 'a1']);
  expect(names({}, { limit: 2 })).toEqual(['c3', 'b2']);
  expect(names({ status: ['exited', 'created'] })).toEqual(['c3', 'b2']);
  expect(names({ exited: ['3'] })).toEqual(['b2']);
  expect(names({ name: ['^/b2$'] }, { all: true })).toEqual(['b2']);
  expect(names({ id: ['c3'] }, { all: true })).toEqual(['c3']);
  expect(names({ label: { 'tier=a1': true } }, { all: true })).toEqual(['a1']);
  expect(names({ label: ['tier', 'tier=b2'] }, { all: true })).toEqual(['b2']);
  expect(names({ before: ['c3'], since: ['a1'] })).toEqual(['b2']);
  expect(() => names({ colour: ['red'] })).toThrow("invalid filter 'colour'");
  expect(() => names({ since: ['z9'] })).toThrow('no such container z9');
  expect(() => names({ exited: ['x'] })).toThrow("invalid filter 'exited=x'");
});

test('changes of a record are told as events of Docker', () => {
  const actions = (before?: ContainerRecord, after?: ContainerRecord) =>
    eventsOfChange(before, after).map(({ action }) => action);
  const [running, exited, created] = records;
  expect(actions(undefined, created)).toEqual(['create']);
  expect(actions(created, running)).toEqual(['rename', 'start']);
  expect(actions(running, record('a1', { state: 'exited', exitCode: 137, oomKilled: true }))).toEqual(['oom', 'die']);
  expect(actions(running, record('a1', { state: 'removing' }))).toEqual(['kill', 'die']);
  expect(actions(running, record('a1', { health: 'healthy' }))).toEqual(['health_status: healthy']);
  expect(actions(exited, undefined)).toEqual(['destroy']);
});

test.each(['{"status":7}', '{"status":[7]}', '{"status":"running"}', '{"status":{"a":"b"}}', '[1]', 'x'])(
  'filters that are none: %s',
  (text) => {
    expect(() => parseFilters(text, containerFilterNames)).toThrow('invalid filters');
  },
);
