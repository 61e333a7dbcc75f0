import { expect } from 'vitest';
import type { Step } from './step.ts';

/** What an output is compared with: any text, exactly this one, or one that matches. */
export function textMatcher(text: Step['stdout']): unknown {
  if (text === undefined) return expect.any(String);
  return typeof text === 'string' ? text : expect.stringMatching(text);
}
