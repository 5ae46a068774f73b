/**
 * The guest IOMMU's side of a device: translations that the front-end sends go to the native rings, and what those miss is asked
 * for through the back-end channel, again while no answer comes, and given up after a while: the chain that needs it is dropped
 * then. Used by VhostDevice when VIRTIO_F_ACCESS_PLATFORM is offered.
 */
import { native } from '@pollwire/native';
import type { BackendChannel, IotlbMessage, Refusal } from '@pollwire/vhost-user';
import { IotlbType } from '@pollwire/vhost-user';
import { attempt } from './attempt.js';

/** Between two questions for the same address, ms. */
const ASK_AGAIN_MS = 250;
/** Questions without an answer after which an address is a bad one. */
const PATIENCE = 4;

export class Iotlb {
  readonly #device: number;
  #channel: BackendChannel | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Questions asked so far, by address and permission. */
  readonly #asked = new Map<string, number>();

  constructor(device: number) {
    this.#device = device;
  }

  /** The way to ask; undefined when there is none any more. */
  set channel(channel: BackendChannel | undefined) {
    this.#channel = channel;
    this.ask();
  }

  /** An update or an invalidation. In force when it returns: no burst uses what was there before. */
  apply(message: IotlbMessage): Refusal | void {
    const { iova, size, userAddr, perm, type } = message;
    // An invalidation of size 0 goes up to the end.
    const last = size === 0n ? 0xffff_ffff_ffff_ffffn : iova + size - 1n;
    const answer = attempt(() => {
      if (type === IotlbType.UPDATE) native.vhostIotlbUpdate(this.#device, iova, last, userAddr, perm);
      else native.vhostIotlbInvalidate(this.#device, iova, last);
    });
    this.ask();
    return answer;
  }

  /** Asks for what is missing and was not asked for. */
  ask(): void {
    if (this.#channel === undefined) return;
    for (const { iova, permission } of native.vhostIotlbMisses(this.#device, false)) {
      this.#channel.iotlbMiss(iova, permission);
      this.#timer ??= setTimeout(() => this.#askAgain(), ASK_AGAIN_MS).unref();
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#channel = undefined;
  }

  #askAgain(): void {
    this.#timer = undefined;
    const missing = native.vhostIotlbMisses(this.#device, true);
    const before = new Map(this.#asked);
    this.#asked.clear();
    for (const { iova, permission } of missing) {
      const key = `${iova} ${permission}`;
      const times = (before.get(key) ?? 1) + 1;
      if (times > PATIENCE) {
        native.vhostIotlbGiveUp(this.#device, iova);
        continue;
      }
      this.#asked.set(key, times);
      this.#channel?.iotlbMiss(iova, permission);
    }
    if (missing.length > 0) this.#timer = setTimeout(() => this.#askAgain(), ASK_AGAIN_MS).unref();
  }
}
