/** Rows A16, A17 of docs/vhost.md. */
import { PollwireError } from '@pollwire/native';
import { expect, it, vi } from 'vitest';
import { TypedEmitter } from './events.js';

type Events = { tick: [n: number]; error: [error: PollwireError] };

function make() {
  const sink = vi.fn();
  return { sink, emitter: new TypedEmitter<Events>(sink) };
}

it('passes arguments to listeners in order of registration', () => {
  const { emitter } = make();
  const seen: string[] = [];
  emitter.on('tick', (n) => seen.push(`a${n}`)).on('tick', (n) => seen.push(`b${n}`));
  expect(emitter.emitSafe('tick', 1)).toBe(true);
  expect(seen).toEqual(['a1', 'b1']);
});

it('says when nobody listens', () => {
  expect(make().emitter.emitSafe('tick', 1)).toBe(false);
});

it('calls a once listener once', () => {
  const { emitter } = make();
  const listener = vi.fn();
  emitter.once('tick', listener);
  emitter.emitSafe('tick', 1);
  emitter.emitSafe('tick', 2);
  expect(listener.mock.calls).toEqual([[1]]);
});

it('keeps a persistent listener that was also added once', () => {
  const { emitter } = make();
  const listener = vi.fn();
  emitter.on('tick', listener);
  emitter.emitSafe('tick', 1);
  emitter.emitSafe('tick', 2);
  expect(listener).toHaveBeenCalledTimes(2);
});

it('goes on behind a listener that throws and reports it to the error listeners', () => {
  const { emitter, sink } = make();
  const after = vi.fn();
  const errors: PollwireError[] = [];
  emitter.on('error', (error) => errors.push(error));
  emitter.on('tick', () => {
    throw new Error('boom');
  });
  emitter.on('tick', after);
  emitter.emitSafe('tick', 1);
  expect(after).toHaveBeenCalledWith(1);
  expect(errors).toEqual([
    expect.objectContaining({ code: 'LISTENER_THREW', message: expect.stringContaining('boom') }),
  ]);
  expect(sink).not.toHaveBeenCalled();
});

it('gives the sink what a listener throws when nobody listens for errors', () => {
  const { emitter, sink } = make();
  emitter.on('tick', () => {
    throw new Error('boom');
  });
  emitter.emitSafe('tick', 1);
  expect(sink).toHaveBeenCalledWith(expect.objectContaining({ code: 'LISTENER_THREW' }));
});

it('gives the sink what an error listener throws, without a loop', () => {
  const { emitter, sink } = make();
  emitter.on('error', () => {
    throw new Error('again');
  });
  emitter.emitSafe('error', new PollwireError('X', 'x'));
  expect(sink).toHaveBeenCalledOnce();
});

it('gives the sink an error that nobody listens for', () => {
  const { emitter, sink } = make();
  const error = new PollwireError('X', 'x');
  expect(emitter.emitSafe('error', error)).toBe(false);
  expect(sink).toHaveBeenCalledWith(error);
});

it('reports the rejection of an asynchronous listener', async () => {
  const { emitter, sink } = make();
  emitter.on('tick', async () => {
    throw new Error('late');
  });
  emitter.emitSafe('tick', 1);
  await new Promise((resolve) => setImmediate(resolve));
  expect(sink).toHaveBeenCalledWith(expect.objectContaining({ message: expect.stringContaining('late') }));
});
