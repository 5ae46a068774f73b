/** Memory regions, translations, and the shared areas for logging and recovery. */
import { chain } from '../maybe-promise.js';
import { sameRegion } from '../memory-layout.js';
import { isRefusal } from '../refusal.js';
import type { Actions } from './action.js';
import { done, fdAt, must, reply } from './action.js';
import { postcopyAddresses } from './postcopy.js';

export const MEMORY_ACTIONS: Actions = {
  SET_MEM_TABLE: ({ state, handler }, { payload, fds }) => {
    const regions = payload.map((region, i) => ({ ...region, fd: fdAt(fds, i) }));
    return chain(handler.setMemoryTable(regions), (refusal) => {
      if (isRefusal(refusal)) {
        return { ...refusal, fatal: true };
      }
      state.regions = payload;
      return chain(postcopyAddresses(state, handler, payload), (answer) => {
        return isRefusal(answer) || answer === undefined ? (answer ?? 'done') : reply('memTable', answer);
      });
    });
  },
  ADD_MEM_REG: ({ state, handler }, { payload, fds }) =>
    must(handler.addMemoryRegion?.bind(handler), (add) => {
      return chain(add({ ...payload, fd: fdAt(fds, 0) }), (refusal) => {
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
    }),
  REM_MEM_REG: ({ state, handler }, { payload }) =>
    must(handler.removeMemoryRegion?.bind(handler), (remove) => {
      const known = state.regions.find((region) => sameRegion(region, payload)) ?? payload;
      return done(remove(known), () => {
        state.regions = state.regions.filter((region) => region !== known);
      });
    }),
  SET_LOG_BASE: ({ handler }, { payload, fds }) =>
    must(handler.setLogBase?.bind(handler), (setLogBase) => {
      return done(setLogBase(payload, fdAt(fds, 0)));
    }),
  SET_LOG_FD: ({ handler }, { fds }) => done(handler.setLogFd?.(fdAt(fds, 0))),
  IOTLB_MSG: ({ handler }, { payload }) =>
    must(handler.iotlb?.bind(handler), (iotlb) => done(iotlb(payload))),
  GET_INFLIGHT_FD: ({ handler }, { payload }) =>
    must(handler.getInflightFd?.bind(handler), (get) => {
      return chain(get(payload), (answer) => {
        return isRefusal(answer) ? answer : reply('inflight', answer.area, [answer.fd]);
      });
    }),
  SET_INFLIGHT_FD: ({ handler }, { payload, fds }) =>
    must(handler.setInflightFd?.bind(handler), (set) => {
      return done(set(payload, fdAt(fds, 0)));
    }),
};
