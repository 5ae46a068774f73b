/**
 * What makes a vhost device something else than a network card: its configuration space, its requests, messages of its own. Given to
 * VhostSocket, read by VhostDevice.
 */
import { PollwireError } from '@pollwire/native';
import type { BackendHandler, ConfigAccess, ExternHandlers, Refusal } from '@pollwire/vhost-user';
import { refuse } from '@pollwire/vhost-user';
import type { RequestHandler } from './request-queue.js';

/**
 * The device's configuration space (virtio 1.2 §2.5; vhost-user GET_CONFIG and SET_CONFIG). Accesses of the front-end that leave it are
 * refused before `write` is called.
 */
export interface ConfigSpace {
  /** The bytes as they are now, at most 256. Asked for at every access. */
  read(): Uint8Array;
  /** The front-end writes `data` at `offset`; absent: the space is read-only. Return false to refuse. */
  write?(offset: number, data: Uint8Array): boolean | void;
}

/** The parts of a device that its owner chooses. */
export interface DeviceKind {
  /** Rings, from 0 on, that must be ready before the device is. */
  readonly readyRings: number;
  readonly config?: ConfigSpace;
  readonly request?: RequestHandler;
  readonly extern?: ExternHandlers;
  /** How bursts of the library receive. */
  readonly receive?: ReceiveOptions;
  /** Default true. */
  readonly netStats?: boolean;
}

/** How packets longer than one mbuf, and offload facts, reach the program. */
export interface ReceiveOptions {
  readonly linear?: boolean;
  /** Index of the pool with larger buffers. */
  readonly buffers?: number;
  readonly legacyFlags?: boolean;
}

/** A network card: its first queue pair must be ready. */
export const NET_DEVICE: DeviceKind = { readyRings: 2 };

type ConfigHandlers = Pick<BackendHandler, 'getConfig' | 'setConfig'>;

/** The message handlers of a configuration space. Front-ends read what lies behind its end as zeros (QEMU asks for its own size). */
export function configHandlers(config: ConfigSpace): ConfigHandlers {
  const getConfig = (offset: number, size: number): Uint8Array => {
    const all = config.read();
    if (all.length > 256) {
      const text = `a configuration space of ${all.length} bytes; vhost-user carries at most 256`;
      throw new PollwireError('VHOST_CONFIG_SIZE', text);
    }
    const out = new Uint8Array(size);
    out.set(all.subarray(offset, offset + size));
    return out;
  };
  const { write } = config;
  if (write === undefined) return { getConfig };
  const setConfig = ({ offset, size, data }: ConfigAccess): Refusal | void => {
    const { length } = config.read();
    if (offset + size > length) {
      return refuse(`SET_CONFIG: ${size} bytes at offset ${offset}; the configuration space has ${length}`);
    }
    if (write.call(config, offset, data) === false) {
      return refuse(`SET_CONFIG: the device refuses ${size} bytes at offset ${offset}`);
    }
  };
  return { getConfig, setConfig };
}
