import { describe } from 'vitest';
import { apiSuite } from './api-suite.ts';
import { startApiTarget } from './api-target.ts';
import { protocolSuite } from './protocol-suite.ts';
import { relaySuite } from './relay-suite.ts';
import { startTarget } from './target.ts';

const runtime = 'workerd with Durable Objects and a libSQL server';

apiSuite(runtime, () => startApiTarget('edge'));
describe(`control channel on ${runtime}`, () => {
  protocolSuite(() => startTarget('edge'));
});
describe(`relay on ${runtime}`, () => {
  relaySuite(() => startTarget('edge'));
});
