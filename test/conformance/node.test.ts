import { describe } from 'vitest';
import { protocolSuite } from './protocol-suite.ts';
import { relaySuite } from './relay-suite.ts';
import { startTarget } from './target.ts';

describe('one Node process with embedded libSQL', () => {
  describe('control channel', () => {
    protocolSuite(() => startTarget('node'));
  });
  describe('relay', () => {
    relaySuite(() => startTarget('node'));
  });
});
