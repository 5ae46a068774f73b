/** Messages to the device behind the rings: configuration space, MTU, announcements, the back-end channel. */
import { chain } from '../maybe-promise.js';
import { isRefusal, refuse } from '../refusal.js';
import type { Actions } from './action.js';
import { done, fdAt, NOT_HANDLED, reply } from './action.js';

export const DEVICE_ACTIONS: Actions = {
  SEND_RARP: ({ handler }, { payload }) => {
    return handler.sendRarp === undefined ? NOT_HANDLED : done(handler.sendRarp(macOf(payload)));
  },
  NET_SET_MTU: ({ handler }, { payload }) => {
    return handler.setMtu === undefined ? NOT_HANDLED : done(handler.setMtu(Number(payload)));
  },
  SET_BACKEND_REQ_FD: (context, { fds }) => context.openChannel(fdAt(fds, 0)),
  GET_CONFIG: ({ handler }, { payload }) => {
    if (handler.getConfig === undefined) {
      return NOT_HANDLED;
    }
    return chain(handler.getConfig(payload.offset, payload.size), (data) => {
      if (isRefusal(data)) {
        return data;
      }
      if (data.length !== payload.size) {
        return refuse(`GET_CONFIG: the device gave ${data.length} of ${payload.size} bytes`);
      }
      return reply('config', { ...payload, data });
    });
  },
  SET_CONFIG: ({ handler }, { payload }) => {
    return handler.setConfig === undefined
      ? refuse('SET_CONFIG: the configuration space is read-only')
      : done(handler.setConfig(payload));
  },
};

/** The MAC address is the first six bytes of the payload. */
function macOf(word: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, word, true);
  return bytes.slice(0, 6);
}
