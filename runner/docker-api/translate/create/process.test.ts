import { expect, test } from 'vitest';
import { checkProcess } from './process.ts';

test('a stop signal is a name or a number, a working directory absolute', () => {
  checkProcess({});
  checkProcess({ StopSignal: '', WorkingDir: '' });
  checkProcess({ StopSignal: 'SIGRTMIN+3', WorkingDir: '/srv' });
  expect(() => checkProcess({ StopSignal: 'NOSUCH' })).toThrow('"NOSUCH" is not a signal');
  expect(() => checkProcess({ StopSignal: '65' })).toThrow('"65" is not a signal');
  expect(() => checkProcess({ WorkingDir: 'srv' })).toThrow(
    "the working directory 'srv' is invalid, it needs to be an absolute path",
  );
});
