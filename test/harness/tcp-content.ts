/**
 * What TCP transfers of the interop tests carry, in the guest and on the host: a random block, repeated behind a line with its number, so
 * that nothing delivered in the wrong place goes unnoticed. In the guest the socket itself is the input or output of `cat` and `md5sum`:
 * a relay that writes a kilobyte at a time would keep TCP from ever making a long packet.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';

const BLOCK_MIB = 4;

/** POLLWIRE_TCP_MIB, rounded to whole blocks, else `usual`: MiB in each direction. */
export function tcpMebibytes(usual: number): number {
  const wanted = Number(process.env.POLLWIRE_TCP_MIB ?? usual);
  if (!(wanted >= BLOCK_MIB)) throw new Error(`POLLWIRE_TCP_MIB=${wanted}: give ${BLOCK_MIB} or more`);
  return Math.floor(wanted / BLOCK_MIB) * BLOCK_MIB;
}

/** A deadline for so much each way; a guest without KVM moves 2 to 40 MB/s. */
export function tcpTimeout(mebibytes: number): number {
  return 200_000 + mebibytes * 1500;
}

/** Says how it went where somebody chose the size, and therefore wants to know. */
export function noteTransfer(what: string, mebibytes: number, seconds: number, hash: string): void {
  if (process.env.POLLWIRE_TCP_MIB === undefined) return;
  const rate = mebibytes / seconds;
  console.info(`${what}: ${mebibytes} MiB in ${seconds.toFixed(1)} s, ${rate.toFixed(1)} MiB/s, md5 ${hash}`);
}

export class TcpContent {
  readonly bytes: number;
  /** MD5, 32 hex digits. */
  readonly hash: string;
  readonly #block = randomBytes(BLOCK_MIB << 20);
  readonly #count: number;

  constructor(mebibytes: number) {
    this.#count = mebibytes / BLOCK_MIB;
    const hash = createHash('md5');
    let bytes = 0;
    for (const piece of this.pieces()) {
      hash.update(piece);
      bytes += piece.length;
    }
    this.hash = hash.digest('hex');
    this.bytes = bytes;
  }

  *pieces(): Generator<Uint8Array> {
    for (let n = 0; n < this.#count; n++) {
      yield Buffer.from(`block ${n}\n`);
      yield this.#block;
    }
  }

  /** For the guest: `nc HOST PORT -e /send` sends it all; `nc -l -p PORT -e /take NAME` leaves the hash in /tmp/NAME. */
  guestFiles(): Record<string, string | Uint8Array> {
    return {
      block: this.#block,
      send: `#!/bin/sh\nn=0\nwhile [ $n -lt ${this.#count} ]; do echo "block $n"; cat /block; n=$((n + 1)); done\n`,
      take: '#!/bin/sh\nmd5sum | cut -c1-32 >/tmp/$1.part && mv /tmp/$1.part /tmp/$1\n',
    };
  }

  /** Sends it all into a socket and ends it. */
  async sendTo(socket: Socket): Promise<void> {
    for (const piece of this.pieces()) if (!socket.write(piece)) await once(socket, 'drain');
    socket.end();
    await once(socket, 'close');
  }
}

/** Hash of everything that arrives, until the other side ends. */
export async function hashOf(socket: Socket): Promise<string> {
  const hash = createHash('md5');
  for await (const chunk of socket) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
