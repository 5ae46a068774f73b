/**
 * Native events handed out by device: the addon knows one listener per isolate, several libraries want their own.
 * Called by vhost (and virtio) devices; delivery is on the event loop, never inside a burst.
 */
import type { NativeEvent } from './binding.js';
import { native } from './load.js';

type Listener = (event: NativeEvent) => void;

const listeners = new Map<number, Listener>();

/** Hears of everything that happens to vhost device `device`, until the returned function is called. One listener per device. */
export function onDeviceEvent(device: number, listener: Listener): () => void {
  if (listeners.size === 0) native.onNativeEvent((event) => listeners.get(event.device)?.(event));
  listeners.set(device, listener);
  return () => {
    if (listeners.get(device) !== listener) return;
    listeners.delete(device);
    if (listeners.size === 0) native.onNativeEvent(undefined);
  };
}
