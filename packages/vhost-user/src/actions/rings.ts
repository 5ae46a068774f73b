/** Setting up, starting, stopping and enabling vrings. */
import type { BackendHandler } from '../backend-handler.js';
import type { MaybePromise } from '../maybe-promise.js';
import { chain, firstOf } from '../maybe-promise.js';
import type { MessageOf } from '../messages.js';
import type { Refusal } from '../refusal.js';
import { isRefusal } from '../refusal.js';
import { ringOf } from '../session-rules.js';
import type { SessionState } from '../session-state.js';
import { splitVringBase } from '../vring-base.js';
import type { ActionContext, Actions } from './action.js';
import { done, NOT_HANDLED, notifyOf, reply, vringFdOf } from './action.js';

export const RING_ACTIONS: Actions = {
  SET_VRING_NUM: ({ state, handler }, { payload: { index, num } }) => {
    return done(handler.setVringNum(index, num), () => {
      ringOf(state, index).size = num;
    });
  },
  SET_VRING_ADDR: ({ state, handler }, { payload }) => {
    return done(handler.setVringAddr(payload.index, payload), () => {
      ringOf(state, payload.index).addr = payload;
    });
  },
  SET_VRING_BASE: ({ state, handler }, { payload: { index, num } }) => {
    const base = state.packed ? num : splitVringBase(num);
    return done(handler.setVringBase(index, base), () => {
      ringOf(state, index).base = base;
    });
  },
  GET_VRING_BASE: ({ state, handler }, { payload: { index } }) => {
    return chain(handler.getVringBase(index), (base) => {
      if (isRefusal(base)) {
        return base;
      }
      Object.assign(ringOf(state, index), {
        base,
        started: false,
        kick: 'unset',
        call: 'unset',
        err: 'unset',
      });
      return reply('vringState', { index, num: base });
    });
  },
  SET_VRING_KICK: startRing,
  SET_VRING_CALL: ({ state, handler }, { payload, fds }) => {
    return done(handler.setVringCall(payload.index, vringFdOf(payload, fds)), () => {
      ringOf(state, payload.index).call = notifyOf(payload);
    });
  },
  SET_VRING_ERR: ({ state, handler }, { payload, fds }) => {
    return done(handler.setVringErr?.(payload.index, vringFdOf(payload, fds)), () => {
      ringOf(state, payload.index).err = notifyOf(payload);
    });
  },
  SET_VRING_ENABLE: ({ state, handler }, { payload: { index, num } }) => {
    return enableRing(state, handler, index, num === 1);
  },
  VRING_KICK: ({ state, handler }, { payload: { index } }) => {
    if (handler.kickVring === undefined) {
      return NOT_HANDLED;
    }
    return done(handler.kickVring(index), () => {
      ringOf(state, index).started = true;
    });
  },
};

/** SET_VRING_KICK. Without protocol features nobody enables rings, so the start does. */
function startRing({ state, handler }: ActionContext, { payload, fds }: MessageOf<'SET_VRING_KICK'>) {
  const enabled = state.ringsStartEnabled ? enableRing(state, handler, payload.index, true) : 'done';
  return chain(enabled, (result) => {
    if (isRefusal(result)) {
      return result;
    }
    return done(handler.setVringKick(payload.index, vringFdOf(payload, fds)), () => {
      Object.assign(ringOf(state, payload.index), { started: true, kick: notifyOf(payload) });
    });
  });
}

/** QEMU repeats SET_VRING_ENABLE; the handler hears of changes only. */
function enableRing(
  state: SessionState,
  handler: BackendHandler,
  index: number,
  enabled: boolean,
): MaybePromise<'done' | Refusal> {
  const ring = ringOf(state, index);
  if (ring.enabled === enabled) {
    return 'done';
  }
  return done(handler.setVringEnable(index, enabled), () => {
    ring.enabled = enabled;
  });
}

/** Switch every ring off. */
export function disableRings(
  state: SessionState,
  handler: BackendHandler,
): MaybePromise<Refusal | undefined> {
  return firstOf(state.rings, (ring) => {
    return chain(enableRing(state, handler, ring.index, false), (result) =>
      isRefusal(result) ? result : undefined,
    );
  });
}
