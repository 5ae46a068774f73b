/** Rows A19, A20, A21 of docs/vhost.md. */
import { expect, it } from 'vitest';
import { QueueEvents } from './queue-events.js';

const drain = (events: QueueEvents) => {
  const all = [];
  for (let event = events.next(); event !== undefined; event = events.next()) all.push(event);
  return all;
};

it('yields each change once, lowest ring first', () => {
  const events = new QueueEvents(4);
  events.set(1, true, true);
  events.set(0, false, true);
  expect(drain(events)).toEqual([
    { queueId: 0, rx: false, enable: true },
    { queueId: 1, rx: true, enable: true },
  ]);
  expect(events.next()).toBeUndefined();
});

it('yields nothing for a queue that went on and off before anyone looked', () => {
  const events = new QueueEvents(2);
  expect(events.set(0, true, true)).toBe(true);
  expect(events.set(0, true, false)).toBe(false);
  expect(drain(events)).toEqual([]);
});

it('yields the last state of a queue that toggled often', () => {
  const events = new QueueEvents(1);
  for (const enable of [true, false, true]) events.set(0, true, enable);
  expect(drain(events)).toEqual([{ queueId: 0, rx: true, enable: true }]);
});

it('tells the state apart from what was seen', () => {
  const events = new QueueEvents(1);
  events.set(0, true, true);
  expect(events.enabled(0, true)).toBe(true);
  expect(events.enabled(0, false)).toBe(false);
});

it('ignores queues that do not exist', () => {
  const events = new QueueEvents(1);
  expect(events.set(7, true, true)).toBe(false);
  expect(events.enabled(7, true)).toBe(false);
});
