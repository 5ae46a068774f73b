/**
 * Edits of the Ethernet header that forwarders make to every packet, for a whole burst in native code: between receive and send of
 * `rxQueue.forward(tx, burst, n, edit)`, or on a burst at rest. Made once at set-up. A loop over `mbufs` does the same per packet.
 */
import { arena, native, PollwireError } from '@pollwire/native';
import type { Burst } from './burst.js';

const ADDRESSES = 12;

export class HeaderEdit {
  /** What crosses to native code: see `forwardEdited` of the binding. */
  readonly code: number;

  private constructor(code: number) {
    this.code = code;
  }

  /** Source and destination address change places. Packets shorter than both stay as they are. */
  static swapAddresses(): HeaderEdit {
    return new HeaderEdit(0);
  }

  /**
   * Both addresses are written. Packets shorter than both stay as they are.
   * @param destination 6 bytes
   * @param source 6 bytes
   */
  static setAddresses(destination: Uint8Array, source: Uint8Array): HeaderEdit {
    if (destination.length !== 6 || source.length !== 6) {
      const lengths = `${destination.length} and ${source.length} bytes`;
      throw new PollwireError('MAC_LENGTH', `Addresses of ${lengths}: an Ethernet address has 6.`);
    }
    const at = native.arenaAlloc(ADDRESSES, 4, 'header edit');
    const { u8 } = arena();
    u8.set(destination, at);
    u8.set(source, at + 6);
    return new HeaderEdit(at >>> 2);
  }

  /** Edits the packets that the burst's holder owns. */
  apply(burst: Burst): void {
    const count = burst.length - burst.first;
    if (count > 0) native.editBurst(burst.word + burst.first, count, this.code);
  }

  /** Gives its arena block back. It must not be used again. */
  release(): void {
    if (this.code !== 0) native.arenaFree(this.code << 2);
  }
}
