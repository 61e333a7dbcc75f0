import { describe } from 'vitest';
import { apiSuite } from './api-suite.ts';
import { startApiTarget } from './api-target.ts';
import { protocolSuite } from './protocol-suite.ts';
import { relaySuite } from './relay-suite.ts';
import { startTarget } from './target.ts';

const runtime = 'one Node process with embedded libSQL';

apiSuite(runtime, () => startApiTarget('node'));
describe(`control channel on ${runtime}`, () => {
  protocolSuite(() => startTarget('node'));
});
describe(`relay on ${runtime}`, () => {
  relaySuite(() => startTarget('node'));
});
