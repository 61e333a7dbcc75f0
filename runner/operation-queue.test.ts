import { expect, test } from 'vitest';
import { OperationQueue } from './operation-queue.ts';

test('one key in order, also after a failure; other keys at once', async () => {
  const queue = new OperationQueue();
  const order: string[] = [];
  const gate = Promise.withResolvers<void>();
  const first = queue.run('a', async () => {
    await gate.promise;
    order.push('a1');
    throw new Error('a1 failed');
  });
  const second = queue.run('a', async () => {
    order.push('a2');
    return 2;
  });
  await queue.run('b', async () => order.push('b1'));
  gate.resolve();
  await expect(first).rejects.toThrow('a1 failed');
  expect(await second).toBe(2);
  await queue.idle();
  expect(order).toEqual(['b1', 'a1', 'a2']);
});
