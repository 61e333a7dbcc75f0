import { describe } from 'vitest';
import { protocolSuite } from './protocol-suite.ts';
import { relaySuite } from './relay-suite.ts';
import { startTarget } from './target.ts';

describe('workerd with Durable Objects and a libSQL server', () => {
  describe('control channel', () => {
    protocolSuite(() => startTarget('edge'));
  });
  describe('relay', () => {
    relaySuite(() => startTarget('edge'));
  });
});
