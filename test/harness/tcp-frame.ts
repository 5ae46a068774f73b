/** TCP frames for offload tests, and the questions asked of those that arrive: are their checksums right, which bytes do they carry. */

const ETHER = 14;
const TCP_HEADER = 20;

function sumWords(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

export interface TcpFrameOptions {
  readonly ipv6?: boolean;
  readonly payload: number;
  /** Default 1000. */
  readonly sequence?: number;
}

/** Lengths of the headers, as an mbuf has them. */
export function headerLengths({ ipv6 }: { readonly ipv6?: boolean }): [l2: number, l3: number, l4: number] {
  return [ETHER, ipv6 === true ? 40 : 20, TCP_HEADER];
}

/** Addresses, protocol and length (RFC 9293 §3.1). */
function pseudoSum(frame: Uint8Array, ipv6: boolean): number {
  const addresses = ipv6 ? frame.subarray(ETHER + 8, ETHER + 40) : frame.subarray(ETHER + 12, ETHER + 20);
  return sumWords(addresses, 6 + frame.length - ETHER - (ipv6 ? 40 : 20));
}

/** A frame with PSH and ACK and a pattern as payload. */
export function tcpFrame(options: TcpFrameOptions): Uint8Array {
  const ipv6 = options.ipv6 === true;
  const [l2, l3, l4] = headerLengths(options);
  const frame = new Uint8Array(l2 + l3 + l4 + options.payload);
  const view = new DataView(frame.buffer);
  frame.set([0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54, 0, 0, 0, 2, ...(ipv6 ? [0x86, 0xdd] : [0x08, 0x00])]);
  if (ipv6) {
    view.setUint8(l2, 0x60);
    view.setUint16(l2 + 4, l4 + options.payload);
    frame.set([6, 64, 0xfe, 0x80], l2 + 6);
    frame.set([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], l2 + 24);
  } else {
    frame.set([0x45, 0, 0, 0, 0, 7, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], l2);
    view.setUint16(l2 + 2, l3 + l4 + options.payload);
    view.setUint16(l2 + 10, ~sumWords(frame.subarray(l2, l2 + l3)) & 0xffff);
  }
  const tcp = l2 + l3;
  view.setUint16(tcp, 1234);
  view.setUint16(tcp + 2, 80);
  view.setUint32(tcp + 4, options.sequence ?? 1000);
  frame.set([0x50, 0x18, 0x10, 0], tcp + 12);
  for (let i = 0; i < options.payload; i++) frame[tcp + l4 + i] = (i * 131 + (i >> 8) * 17 + 5) & 0xff;
  view.setUint16(tcp + 16, ~sumWords(frame.subarray(tcp), pseudoSum(frame, ipv6)) & 0xffff);
  return frame;
}

/** Whether the IPv4 header checksum (where there is one) and the TCP checksum are right. */
export function checksumsAreRight(frame: Uint8Array): boolean {
  const ipv6 = (frame[ETHER] as number) >> 4 === 6;
  const ip = frame.subarray(ETHER, ETHER + (ipv6 ? 40 : 20));
  const tcp = frame.subarray(ETHER + ip.length);
  return (ipv6 || sumWords(ip) === 0xffff) && sumWords(tcp, pseudoSum(frame, ipv6)) === 0xffff;
}

/** Whether the checksum field holds the sum of the pseudo header only: left open (virtio 1.2 §5.1.6.2). */
export function checksumIsOpen(frame: Uint8Array): boolean {
  const ipv6 = (frame[ETHER] as number) >> 4 === 6;
  const field = ETHER + (ipv6 ? 40 : 20) + 16;
  return new DataView(frame.buffer, frame.byteOffset).getUint16(field) === pseudoSum(frame, ipv6);
}

/** The payload that segments carry in this order, from sequence number 1000; undefined when there are gaps or overlaps. */
export function payloadOf(frames: readonly Uint8Array[]): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let next = 1000;
  for (const frame of frames) {
    const tcp = ETHER + ((frame[ETHER] as number) >> 4 === 6 ? 40 : 20);
    if (new DataView(frame.buffer, frame.byteOffset).getUint32(tcp + 4) !== next) return undefined;
    const payload = frame.subarray(tcp + TCP_HEADER);
    parts.push(payload);
    next += payload.length;
  }
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
