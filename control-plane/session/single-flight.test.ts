import { expect, test } from 'vitest';
import { SingleFlight } from './single-flight.ts';

test('requests made during a run cause exactly one more', async () => {
  const gates: PromiseWithResolvers<void>[] = [];
  const flight = new SingleFlight(() => {
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    return gate.promise;
  });
  const first = flight.request();
  const later = [flight.request(), flight.request(), flight.request()];
  expect(gates).toHaveLength(1);
  gates[0]?.resolve();
  await first;
  await expect.poll(() => gates.length).toBe(2);
  const third = flight.request();
  gates[1]?.resolve();
  await Promise.all(later);
  await expect.poll(() => gates.length).toBe(3);
  gates[2]?.resolve();
  await third;
  expect(gates).toHaveLength(3);
});

test('a run that fails fails for its requesters, and the next one runs', async () => {
  let runs = 0;
  const flight = new SingleFlight(async () => {
    runs += 1;
    if (runs === 1) throw new Error('the first fails');
  });
  const first = flight.request();
  const second = flight.request();
  await expect(first).rejects.toThrow('the first fails');
  await second;
  expect(runs).toBe(2);
});
