/** Features, ownership, status, reset: what a front-end and a back-end agree on before and around the rings. */

import { maskDependents } from '../feature-dependencies.js';
import { DeviceStatus, Feature } from '../features.js';
import { chain } from '../maybe-promise.js';
import type { MessageOf } from '../messages.js';
import type { ActionContext, Actions } from './action.js';
import { done, NOT_HANDLED, reply } from './action.js';
import { disableRings } from './rings.js';

export const NEGOTIATION_ACTIONS: Actions = {
  GET_FEATURES: ({ state }) => {
    state.featuresRead = true;
    return reply('u64', state.offeredFeatures);
  },
  SET_FEATURES: setFeatures,
  GET_PROTOCOL_FEATURES: ({ state }) => reply('u64', state.offeredProtocolFeatures),
  SET_PROTOCOL_FEATURES: ({ state, handler }, { payload }) => {
    const before = state.ackedProtocolFeatures;
    if (before === payload) {
      return 'done';
    }
    // In force at once: for the ack of this very message, and for the handler that is told.
    state.ackedProtocolFeatures = payload;
    return done(handler.setProtocolFeatures?.(payload), undefined, () => {
      state.ackedProtocolFeatures = before;
    });
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
  RESET_DEVICE: ({ state, handler }) => {
    return handler.resetDevice === undefined
      ? NOT_HANDLED
      : done(handler.resetDevice(), () => state.resetDevice());
  },
  SET_STATUS: ({ state, handler }, { payload }) => {
    const previous = state.status;
    // A device that does not accept the features says so by not keeping FEATURES_OK (virtio 1.2 §3.1.1).
    const status = Number(payload) & (state.featuresAccepted ? 0xff : ~DeviceStatus.FEATURES_OK);
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
    state.featuresRefused = false;
    if (layoutChanged) {
      state.forgetLayout();
    }
  });
}
