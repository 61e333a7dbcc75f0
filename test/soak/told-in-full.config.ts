import { defineConfig } from 'vitest/config';
import config from '../../vitest.config.ts';

/** The projects of vitest.config.ts, whose assertions quote whole what they compared: the campaign reads that. */
const projects = (config.test?.projects ?? []).map((project) =>
  typeof project === 'object' && 'test' in project
    ? { test: { ...project.test, chaiConfig: { truncateThreshold: 0 } } }
    : project,
);

export default defineConfig({ test: { projects } });
