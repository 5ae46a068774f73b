/**
 * Native events handed out by device: the addon knows one listener per isolate, several libraries want their own.
 * Called by vhost (and virtio) devices; delivery is on the event loop, never inside a burst.
 */
import type { NativeEvent } from './binding.js';
import { native } from './load.js';

export type Listener = (event: NativeEvent) => void;

const listeners = new Map<string, Listener>();

/** Hears of everything that happens to one device, until the returned function is called. One listener per device. */
export function onDeviceEvent(side: NativeEvent['side'], device: number, listener: Listener): () => void {
  const key = `${side} ${device}`;
  if (listeners.size === 0) {
    native.onNativeEvent((event) => listeners.get(`${event.side} ${event.device}`)?.(event));
  }
  listeners.set(key, listener);
  return () => {
    if (listeners.get(key) !== listener) return;
    listeners.delete(key);
    if (listeners.size === 0) native.onNativeEvent(undefined);
  };
}
