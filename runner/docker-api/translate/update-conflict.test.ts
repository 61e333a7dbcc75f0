import { expect, test } from 'vitest';
import { plainConfig } from '../../../test/support/plain-container.ts';
import { updateConflict } from './update-conflict.ts';

const config = plainConfig();

test('an update that does not go with what is set is refused in dockerd’s words', () => {
  const conflict = (has: object, asks: object) => updateConflict({ ...config, ...has }, asks, undefined);
  expect(conflict({ cpuPeriodUs: 1000 }, { NanoCpus: 1 })).toContain('as CPU Period has already been set');
  expect(conflict({ cpuQuotaUs: 1000 }, { NanoCpus: 1 })).toContain('as CPU Quota has already been set');
  expect(conflict({ nanoCpus: 1 }, { CpuPeriod: 1000 })).toContain('CPU Period cannot be updated as NanoCPUs');
  expect(conflict({ nanoCpus: 1 }, { CpuQuota: 1000 })).toContain('CPU Quota cannot be updated as NanoCPUs');
  expect(conflict({ memoryBytes: 10, memorySwapBytes: 20 }, { Memory: 21 })).toContain('already set memoryswap limit');
  expect(conflict({ memoryBytes: 10, memorySwapBytes: 20 }, { Memory: 21, MemorySwap: -1 })).toBeUndefined();
  expect(conflict({ memoryBytes: 10, memorySwapBytes: 0 }, { Memory: 20 })).toBeUndefined();
});

test('a container that removes itself gets no restart policy', () => {
  const passing = { ...config, autoRemove: true };
  expect(updateConflict(passing, {}, { kind: 'always' })).toContain('because AutoRemove is enabled');
  expect(updateConflict(passing, {}, { kind: 'no' })).toBeUndefined();
});
