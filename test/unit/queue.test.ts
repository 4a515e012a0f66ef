/** Work waits for the work before it, whether that succeeds or fails. */
import { expect, test } from 'vitest';
import { createQueue } from '../../src/engine/queue.ts';

test('in order, and past a failure', async () => {
  const queue = createQueue();
  const order: string[] = [];
  const work = (name: string) => async () => {
    order.push(`${name} starts`);
    await new Promise((resolve) => setTimeout(resolve, 1));
    order.push(`${name} ends`);
    if (name === 'b') throw new Error('b failed');
    return name;
  };
  const ended = await Promise.allSettled(['a', 'b', 'c'].map((name) => queue(work(name))));
  expect(order).toEqual(['a starts', 'a ends', 'b starts', 'b ends', 'c starts', 'c ends']);
  expect(ended).toMatchObject([{ value: 'a' }, { reason: new Error('b failed') }, { value: 'c' }]);
});

test('a turn holds up what was asked for after it until it ends', async () => {
  const queue = createQueue();
  const order: string[] = [];
  const end = await queue.turn();
  const later = queue(async () => order.push('later'));
  const next = queue.turn().then((stop) => {
    order.push('next');
    stop();
  });
  expect(queue.pending).toBe(3);
  await new Promise((resolve) => setTimeout(resolve, 1));
  order.push('end');
  end();
  await Promise.all([later, next]);
  expect(order).toEqual(['end', 'later', 'next']);
  expect(queue.pending).toBe(0);
});

test('an abort ends the wait at once, and whoever is behind still has their turn', async () => {
  const queue = createQueue();
  const end = await queue.turn();
  const controller = new AbortController();
  const left = [queue.turn(controller.signal), queue(async () => 'never', controller.signal)];
  const order: string[] = [];
  const behind = queue(async () => order.push('behind'));
  controller.abort(new Error('enough'));
  for (const wait of left) await expect(wait).rejects.toThrow('enough'); // the first turn has not ended
  await expect(queue.turn(controller.signal)).rejects.toThrow('enough');
  order.push('end');
  end();
  await behind;
  expect(order).toEqual(['end', 'behind']);
  await queue(async () => {});
  expect(queue.pending).toBe(0);
});
