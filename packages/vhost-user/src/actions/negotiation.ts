/** Features, ownership, status, reset: what a front-end and a back-end agree on before and around the rings. */

import { maskDependents } from '../feature-dependencies.js';
import { Feature } from '../features.js';
import { chain } from '../maybe-promise.js';
import type { MessageOf } from '../messages.js';
import type { ActionContext, Actions } from './action.js';
import { done, must, reply } from './action.js';
import { disableRings } from './rings.js';

export const NEGOTIATION_ACTIONS: Actions = {
  GET_FEATURES: ({ state }) => {
    state.featuresRead = true;
    return reply('u64', state.offeredFeatures);
  },
  SET_FEATURES: setFeatures,
  GET_PROTOCOL_FEATURES: ({ state }) => reply('u64', state.offeredProtocolFeatures),
  SET_PROTOCOL_FEATURES: ({ state, handler }, { payload }) => {
    // In force for the acks from this message on, and for the handler that is told.
    const before = state.ackedProtocolFeatures;
    state.ackedProtocolFeatures = payload;
    return before === payload ? 'done' : done(handler.setProtocolFeatures?.(payload));
  },
  GET_QUEUE_NUM: ({ queueNum }) => reply('u64', BigInt(queueNum)),
  GET_MAX_MEM_SLOTS: ({ state }) => reply('u64', BigInt(state.maxMemorySlots)),
  SET_OWNER: ({ state, handler }) => {
    return state.owned
      ? 'done'
      : done(handler.setOwner?.(), () => {
          state.owned = true;
        });
  },
  RESET_OWNER: ({ state, handler }) => {
    return chain(disableRings(state, handler), (refusal) => {
      const end = () => {
        state.owned = false;
      };
      return refusal ?? done(handler.resetOwner?.(), end);
    });
  },
  RESET_DEVICE: ({ state, handler }) =>
    must(handler.resetDevice?.bind(handler), (reset) => {
      return done(reset(), () => state.resetDevice());
    }),
  SET_STATUS: ({ state, handler }, { payload }) => {
    const status = Number(payload);
    const previous = state.status;
    state.status = status;
    return done(handler.setStatus?.(status, previous), undefined, () => {
      state.status = previous;
    });
  },
  GET_STATUS: ({ state }) => reply('u64', BigInt(state.status)),
};

function setFeatures({ state, handler, netDevice }: ActionContext, { payload }: MessageOf<'SET_FEATURES'>) {
  const features = netDevice ? maskDependents(payload) : payload;
  const previous = state.features;
  const isFirst = state.ackedFeatures === undefined;
  const layoutChanged = !isFirst && ((features ^ previous) & Feature.VIRTIO_F_RING_PACKED) !== 0n;
  return done(handler.setFeatures({ features, acked: payload, previous, layoutChanged }), () => {
    state.ackedFeatures = payload;
    state.features = features;
    if (layoutChanged) {
      state.forgetLayout();
    }
  });
}
