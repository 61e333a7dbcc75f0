import { defineConfig } from 'vitest/config';

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
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          exclude: ['test/vm/**', 'test/soak/**'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          // Each file has network namespaces, data roots and cgroups of its own; most of the time they wait.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          globalSetup: ['test/vm/boot.ts'],
        },
      },
      {
        test: {
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          testTimeout: 3_600_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
