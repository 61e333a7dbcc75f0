import { defineConfig } from 'vitest/config';

/** How long `expect.poll` waits for what comes by itself: a deadline that a busy machine keeps, not a measurement. */
const expectation = { poll: { timeout: 60_000, interval: 20 } };

/**
 * unit: pure and single-process tests beside the code. system: tests that cross processes, on this host. vm: the tests
 * that need cgroup v2 controllers, in one boot of a virtual machine. soak: the long campaigns, which `make soak` runs.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{shared,control-plane,runner,cli,scripts}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: expectation,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/vm/**', 'test/soak/**'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          expect: expectation,
          // Each file has network namespaces, data roots and cgroups of its own; most of the time they wait.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          globalSetup: ['test/vm/boot.ts'],
          expect: expectation,
        },
      },
      {
        test: {
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 180_000,
          expect: expectation,
          fileParallelism: false,
        },
      },
    ],
  },
});
