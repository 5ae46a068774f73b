/** Memory regions, translations, and the shared areas for logging and recovery. */
import { chain } from '../maybe-promise.js';
import { sameRegion } from '../memory-layout.js';
import { isRefusal } from '../refusal.js';
import type { Actions } from './action.js';
import { done, fdAt, NOT_HANDLED, reply } from './action.js';
import { postcopyAddresses } from './postcopy.js';

export const MEMORY_ACTIONS: Actions = {
  SET_MEM_TABLE: ({ state, handler }, { payload, fds }) => {
    const regions = payload.map((region, i) => ({ ...region, fd: fdAt(fds, i) }));
    return chain(handler.setMemoryTable(regions), (refusal) => {
      if (isRefusal(refusal)) {
        return { ...refusal, fatal: true };
      }
      state.regions = payload;
      state.repeatedRegions = [];
      return chain(postcopyAddresses(state, handler, payload), (answer) => {
        if (isRefusal(answer) || answer === undefined) {
          return answer ?? 'done';
        }
        return reply('memTable', answer);
      });
    });
  },
  ADD_MEM_REG: ({ state, handler }, { payload, fds }) => {
    if (handler.addMemoryRegion === undefined) {
      return NOT_HANDLED;
    }
    if (state.regions.some((known) => sameRegion(known, payload))) {
      state.repeatedRegions = [...state.repeatedRegions, payload];
      return 'done';
    }
    return chain(handler.addMemoryRegion({ ...payload, fd: fdAt(fds, 0) }), (refusal) => {
      if (isRefusal(refusal)) {
        return refusal;
      }
      state.regions = [...state.regions, payload];
      return chain(postcopyAddresses(state, handler, [payload]), (answer) => {
        if (isRefusal(answer) || answer === undefined) {
          return answer ?? 'done';
        }
        return reply('memRegion', answer[0] ?? payload);
      });
    });
  },
  REM_MEM_REG: ({ state, handler }, { payload }) => {
    if (handler.removeMemoryRegion === undefined) {
      return NOT_HANDLED;
    }
    const repeat = state.repeatedRegions.findIndex((region) => sameRegion(region, payload));
    if (repeat >= 0) {
      state.repeatedRegions = state.repeatedRegions.toSpliced(repeat, 1);
      return 'done';
    }
    const known = state.regions.find((region) => sameRegion(region, payload)) ?? payload;
    return done(handler.removeMemoryRegion(known), () => {
      state.regions = state.regions.filter((region) => region !== known);
    });
  },
  SET_LOG_BASE: ({ handler }, { payload, fds }) => {
    return handler.setLogBase === undefined ? NOT_HANDLED : done(handler.setLogBase(payload, fdAt(fds, 0)));
  },
  SET_LOG_FD: ({ handler }, { fds }) => done(handler.setLogFd?.(fdAt(fds, 0))),
  IOTLB_MSG: ({ handler }, { payload }) => {
    return handler.iotlb === undefined ? NOT_HANDLED : done(handler.iotlb(payload));
  },
  GET_INFLIGHT_FD: ({ handler }, { payload }) => {
    if (handler.getInflightFd === undefined) {
      return NOT_HANDLED;
    }
    return chain(handler.getInflightFd(payload), (answer) => {
      return isRefusal(answer) ? answer : reply('inflight', answer.area, [answer.fd]);
    });
  },
  SET_INFLIGHT_FD: ({ handler }, { payload, fds }) => {
    return handler.setInflightFd === undefined
      ? NOT_HANDLED
      : done(handler.setInflightFd(payload, fdAt(fds, 0)));
  },
};
