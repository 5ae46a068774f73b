/**
 * The driver role: typed requests to a vhost-user back-end. Every request that has a reply, of its own or by
 * REPLY_ACK, is awaited with a deadline; a wrong or missing reply closes the connection with a clear reason.
 * The virtio-user driver and the test kit's fake front-end stand on it; frontend-setup.ts has the usual order of calls.
 */
import { PollwireError } from '@pollwire/native';
import type { FdSocket } from './fd-socket.js';
import { DeviceStatus } from './features.js';
import type { FrontendChannelHandler } from './frontend-channel.js';
import { FrontendChannel } from './frontend-channel.js';
import { checkAck, FrontendLink } from './frontend-link.js';
import type { FrontendRequestName } from './messages.js';
import type { OutgoingFd } from './output-queue.js';
import type { ConfigAccess, InflightArea, LogArea, MemoryRegion, VringAddr } from './payloads.js';
import { IotlbType } from './payloads.js';
import { protocolFeatureConflict } from './protocol-features.js';
import { hex } from './refusal.js';

/** A memory region to share, and its file. The descriptor stays the caller's. */
export interface SharedRegion extends MemoryRegion {
  readonly fd: number;
}

const NO_FDS = { min: 0, max: 0 };
const OPTIONAL_FD = { min: 0, max: 1 };
const ONE_FD = { min: 1, max: 1 };

export class FrontendClient extends FrontendLink {
  #channel: FrontendChannel | undefined;

  // Negotiation.

  setOwner(): Promise<void> {
    return this.tell('SET_OWNER', undefined);
  }

  resetOwner(): Promise<void> {
    return this.tell('RESET_OWNER', undefined);
  }

  resetDevice(): Promise<void> {
    return this.tell('RESET_DEVICE', undefined);
  }

  getFeatures(): Promise<bigint> {
    return this.#askNumber('GET_FEATURES');
  }

  /** Ack virtio features; must be offered ones. */
  setFeatures(features: bigint): Promise<void> {
    return this.tell('SET_FEATURES', features);
  }

  getProtocolFeatures(): Promise<bigint> {
    return this.#askNumber('GET_PROTOCOL_FEATURES');
  }

  /** Ack protocol features. In force for every later message. */
  async setProtocolFeatures(features: bigint): Promise<void> {
    const conflict = protocolFeatureConflict(features);
    if (conflict !== undefined) {
      throw new PollwireError('VHOST_BAD_FEATURES', `protocol features ${hex(features)}: ${conflict}`);
    }
    await this.tell('SET_PROTOCOL_FEATURES', features);
  }

  /** How many queues the back-end has: for a network device, queue pairs. */
  async getQueueNum(): Promise<number> {
    return Number(await this.#askNumber('GET_QUEUE_NUM'));
  }

  getStatus(): Promise<number> {
    return this.#askNumber('GET_STATUS').then(Number);
  }

  setStatus(status: number): Promise<void> {
    return this.tell('SET_STATUS', BigInt(status));
  }

  /** Read the status and set more bits in it. */
  async addStatus(bits: number): Promise<void> {
    await this.setStatus((await this.getStatus()) | bits);
    if ((bits & DeviceStatus.FEATURES_OK) !== 0) {
      await this.checkFeaturesOk();
    }
  }

  /** Read the status back: a device that does not accept the features clears FEATURES_OK (virtio 1.2 §3.1.1). */
  async checkFeaturesOk(): Promise<void> {
    const status = await this.getStatus();
    if ((status & DeviceStatus.FEATURES_OK) === 0) {
      const text = `the device does not accept the features: FEATURES_OK is clear in status ${hex(status)}`;
      throw new PollwireError('VHOST_BAD_FEATURES', text);
    }
  }

  // Memory.

  /** Share a whole table: 1 to 8 regions. */
  setMemoryTable(regions: readonly SharedRegion[]): Promise<void> {
    return this.tell('SET_MEM_TABLE', regions, regions.map(borrowed));
  }

  addMemoryRegion(region: SharedRegion): Promise<void> {
    return this.tell('ADD_MEM_REG', region, [borrowed(region)]);
  }

  removeMemoryRegion(region: MemoryRegion): Promise<void> {
    return this.tell('REM_MEM_REG', region);
  }

  async getMaxMemorySlots(): Promise<number> {
    return Number(await this.#askNumber('GET_MAX_MEM_SLOTS'));
  }

  // Rings.

  setVringNum(index: number, size: number): Promise<void> {
    return this.tell('SET_VRING_NUM', { index, num: size });
  }

  setVringBase(index: number, base: number): Promise<void> {
    return this.tell('SET_VRING_BASE', { index, num: base });
  }

  setVringAddr(addr: VringAddr): Promise<void> {
    return this.tell('SET_VRING_ADDR', addr);
  }

  /** The eventfd by which we kick; undefined: the back-end polls. Starts the ring. */
  setVringKick(index: number, fd: number | undefined): Promise<void> {
    return this.#setVringFd('SET_VRING_KICK', index, fd);
  }

  /** The eventfd by which we are called; undefined: we poll. */
  setVringCall(index: number, fd: number | undefined): Promise<void> {
    return this.#setVringFd('SET_VRING_CALL', index, fd);
  }

  setVringErr(index: number, fd: number | undefined): Promise<void> {
    return this.#setVringFd('SET_VRING_ERR', index, fd);
  }

  setVringEnable(index: number, enabled: boolean): Promise<void> {
    return this.tell('SET_VRING_ENABLE', { index, num: enabled ? 1 : 0 });
  }

  /** Stop a ring and learn where it stands. */
  async getVringBase(index: number): Promise<number> {
    const form = { payloads: ['vringState'], fds: NO_FDS } as const;
    const { payload } = await this.ask('GET_VRING_BASE', { index, num: 0 }, form);
    if (payload.index !== index) {
      throw this.badReply(`GET_VRING_BASE of vring ${index} answered for vring ${payload.index}`);
    }
    return payload.num;
  }

  // Migration, recovery, device.

  /** Share the dirty log. The back-end answers when it is in place. */
  async setLogBase(log: LogArea, fd: number): Promise<void> {
    const form = { payloads: ['none', 'u64'], fds: NO_FDS } as const;
    const { payload } = await this.ask('SET_LOG_BASE', log, form, [{ fd, close: false }]);
    checkAck('SET_LOG_BASE', payload ?? 0n);
  }

  setLogFd(fd: number): Promise<void> {
    return this.tell('SET_LOG_FD', undefined, [{ fd, close: false }]);
  }

  /** @param mac 6 bytes */
  sendRarp(mac: Uint8Array): Promise<void> {
    const bytes = new Uint8Array(8);
    bytes.set(mac.subarray(0, 6));
    return this.tell('SEND_RARP', new DataView(bytes.buffer).getBigUint64(0, true));
  }

  setMtu(mtu: number): Promise<void> {
    return this.tell('NET_SET_MTU', BigInt(mtu));
  }

  /** A translation that was asked for through the back-end channel. */
  iotlbUpdate(entry: { iova: bigint; size: bigint; userAddr: bigint; perm: number }): Promise<void> {
    return this.tell('IOTLB_MSG', { ...entry, type: IotlbType.UPDATE });
  }

  iotlbInvalidate(iova: bigint, size: bigint): Promise<void> {
    return this.tell('IOTLB_MSG', { iova, size, userAddr: 0n, perm: 0, type: IotlbType.INVALIDATE });
  }

  /** @throws PollwireError `VHOST_NACK` when the back-end answers with its empty error reply */
  async getConfig(offset: number, size: number): Promise<Uint8Array> {
    const access: ConfigAccess = { offset, size, flags: 0, data: new Uint8Array(size) };
    const { payload } = await this.ask('GET_CONFIG', access, { payloads: ['config', 'none'], fds: NO_FDS });
    if (payload === undefined) {
      throw new PollwireError(
        'VHOST_NACK',
        `the back-end refused GET_CONFIG of ${size} bytes at offset ${offset}`,
      );
    }
    if (payload.size !== size || payload.offset !== offset) {
      throw this.badReply(
        `GET_CONFIG of ${size} bytes at ${offset} answered ${payload.size} at ${payload.offset}`,
      );
    }
    return payload.data;
  }

  /** @param flags 0: writable fields; 1: live migration */
  setConfig(offset: number, data: Uint8Array, flags = 0): Promise<void> {
    return this.tell('SET_CONFIG', { offset, size: data.length, flags, data });
  }

  /** The back-end's in-flight region; undefined when it has none to give. The descriptor is the caller's. */
  async getInflight(wish: InflightArea): Promise<{ area: InflightArea; fd: number } | undefined> {
    const { payload, fds } = await this.ask('GET_INFLIGHT_FD', wish, {
      payloads: ['inflight'],
      fds: OPTIONAL_FD,
    });
    const fd = fds[0];
    return fd === undefined ? undefined : { area: payload, fd };
  }

  setInflight(area: InflightArea, fd: number): Promise<void> {
    return this.tell('SET_INFLIGHT_FD', area, [{ fd, close: false }]);
  }

  /** Announce postcopy; the userfaultfd is the caller's. */
  async postcopyAdvise(): Promise<number> {
    const { fds } = await this.ask('POSTCOPY_ADVISE', undefined, { payloads: ['none'], fds: ONE_FD });
    return fds[0] as number;
  }

  postcopyListen(): Promise<void> {
    return this.tell('POSTCOPY_LISTEN', undefined);
  }

  async postcopyEnd(): Promise<void> {
    checkAck('POSTCOPY_END', await this.#askNumber('POSTCOPY_END'));
  }

  /**
   * Give the back-end a channel for its own requests.
   * @param ours our end; taken over
   * @param theirs descriptor of the other end; closed once it is sent
   */
  async openChannel(
    ours: FdSocket,
    theirs: number,
    handler: FrontendChannelHandler,
  ): Promise<FrontendChannel> {
    const channel = new FrontendChannel(ours, handler, this.trace);
    this.#channel?.close('replaced by a new back-end channel');
    this.#channel = channel;
    void this.closed.then(() => channel.close('the session ended'));
    try {
      await this.tell('SET_BACKEND_REQ_FD', undefined, [{ fd: theirs, close: true }]);
    } catch (error) {
      channel.close('the back-end does not take it');
      throw error;
    }
    return channel;
  }

  #setVringFd(
    name: 'SET_VRING_KICK' | 'SET_VRING_CALL' | 'SET_VRING_ERR',
    index: number,
    fd: number | undefined,
  ): Promise<void> {
    return this.tell(name, { index, noFd: fd === undefined }, fd === undefined ? [] : [{ fd, close: false }]);
  }

  #askNumber(name: FrontendRequestName): Promise<bigint> {
    const form = { payloads: ['u64'], fds: NO_FDS } as const;
    return this.ask(name, undefined as never, form).then((answer) => answer.payload);
  }
}

function borrowed(region: SharedRegion): OutgoingFd {
  return { fd: region.fd, close: false };
}
