import { expect, it } from 'vitest';
import { isRetryable, PollwireError, toPollwireError } from './errors.js';

it.each([
  ['PORT_ENOTSUP', -95, false],
  ['NOT_SUPPORTED', -95, false],
  ['BUSY', -16, true],
  ['CONNECTION_REFUSED', -111, true],
  ['PEER_CLOSED', -32, true],
  ['DEVARG_UNKNOWN', -22, false],
])('%s has errno %d and can be tried again: %s', (code, errno, retryable) => {
  const error = new PollwireError(code, 'x');
  expect([error.errno, isRetryable(error)]).toEqual([errno, retryable]);
});

it('carries cause and details', () => {
  const cause = new Error('below');
  const error = new PollwireError('X', 'above', { cause, details: { port: 1 } });
  expect(error).toMatchObject({ name: 'PollwireError', message: 'above', cause, details: { port: 1 } });
  expect(String(error)).toBe('PollwireError: above');
});

it('keeps code, errno and syscall of an error of the addon or of Node', () => {
  const thrown = Object.assign(new Error('bind failed'), {
    code: 'ADDRESS_IN_USE',
    errno: 98,
    syscall: 'bind',
  });
  expect(toPollwireError(thrown)).toMatchObject({
    code: 'ADDRESS_IN_USE',
    errno: -98,
    syscall: 'bind',
    cause: thrown,
  });
});

it('leaves its own errors alone and wraps anything else', () => {
  const own = new PollwireError('X', 'x');
  expect(toPollwireError(own)).toBe(own);
  expect(toPollwireError('text', 'FALLBACK')).toMatchObject({ code: 'FALLBACK', message: 'text' });
  expect(toPollwireError(new Error('plain'))).toMatchObject({ code: 'SYSTEM_ERROR', message: 'plain' });
});

it('never takes a foreign error for retryable', () => {
  expect([isRetryable(undefined), isRetryable(new Error('BUSY')), isRetryable({ code: 'BUSY' })]).toEqual([
    false,
    false,
    false,
  ]);
});
