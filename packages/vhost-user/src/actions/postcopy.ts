/**
 * Postcopy migration: memory arrives while the device runs, and faults are served by the front-end. While it listens,
 * memory messages are answered with this process's addresses and confirmed by the front-end.
 */
import type { BackendHandler } from '../backend-handler.js';
import type { MaybePromise } from '../maybe-promise.js';
import { chain, firstOf } from '../maybe-promise.js';
import type { MemoryRegion } from '../payloads.js';
import type { Refusal } from '../refusal.js';
import { isRefusal, refuse } from '../refusal.js';
import type { SessionState } from '../session-state.js';
import type { Actions } from './action.js';
import { done, NOT_HANDLED, reply } from './action.js';

export const POSTCOPY_ACTIONS: Actions = {
  POSTCOPY_ADVISE: ({ state, handler }) => {
    if (handler.postcopyAdvise === undefined) {
      return NOT_HANDLED;
    }
    return chain(handler.postcopyAdvise(), (fd) => {
      if (isRefusal(fd)) {
        return fd;
      }
      state.postcopy = 'advised';
      return reply('none', undefined, [fd]);
    });
  },
  POSTCOPY_LISTEN: ({ state, handler }) => {
    if (handler.postcopyListen === undefined) {
      return NOT_HANDLED;
    }
    return done(handler.postcopyListen(), () => {
      state.postcopy = 'listening';
    });
  },
  POSTCOPY_END: ({ state, handler }) => {
    return chain(handler.postcopyEnd?.(), (refusal) => {
      state.postcopy = 'off';
      state.postcopyConfirmation = false;
      return reply('u64', isRefusal(refusal) ? 1n : 0n);
    });
  },
};

/** The regions with this process's addresses, while postcopy listens; undefined when it does not. */
export function postcopyAddresses(
  state: SessionState,
  handler: BackendHandler,
  regions: readonly MemoryRegion[],
): MaybePromise<readonly MemoryRegion[] | Refusal | undefined> {
  if (state.postcopy !== 'listening') {
    return undefined;
  }
  const answered: MemoryRegion[] = [];
  const refusal = firstOf(regions, (region) => {
    const address = handler.postcopyAddress?.(region) ?? refuse('postcopy: no address for a region');
    return chain(address, (value) => {
      if (isRefusal(value)) {
        return value;
      }
      answered.push({ ...region, userAddr: value });
      return undefined;
    });
  });
  return chain(refusal, (problem) => {
    state.postcopyConfirmation = problem === undefined;
    return problem ?? answered;
  });
}
