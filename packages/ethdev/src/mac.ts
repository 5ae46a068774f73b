/** Ethernet addresses as six bytes and as text. Called by devargs schemas, ports and anyone who prints an address. */
import { randomBytes } from 'node:crypto';
import { PollwireError } from '@pollwire/native';

const TEXT = /^[0-9a-f]{1,2}([:-][0-9a-f]{1,2}){5}$/i;

/** 'aa:bb:cc:dd:ee:ff' (or with '-') as six bytes; throws BAD_MAC for anything else. */
export function parseMac(text: string): Uint8Array {
  if (!TEXT.test(text)) {
    throw new PollwireError(
      'BAD_MAC',
      `'${text}' is not a MAC address; write six hex bytes, such as 02:00:00:00:00:01.`,
    );
  }
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

/** Upper-case with colons, as ethdev programs print it: '56:48:4F:53:54:00'. */
export function formatMac(mac: ArrayLike<number>): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
}

/** A random unicast, locally administered address. */
export function randomMac(): Uint8Array {
  const mac = new Uint8Array(randomBytes(6));
  mac[0] = ((mac[0] ?? 0) & 0xfe) | 0x02;
  return mac;
}

/** Six bytes from either form; copies. Throws BAD_MAC. */
export function toMac(value: ArrayLike<number> | string): Uint8Array {
  if (typeof value === 'string') return parseMac(value);
  if (value.length !== 6)
    throw new PollwireError('BAD_MAC', `A MAC address has 6 bytes, not ${value.length}.`);
  return Uint8Array.from(value);
}
