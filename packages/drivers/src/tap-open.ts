/**
 * Opening of TUN/TAP interfaces, with errors in words: makes a new interface, or takes a persistent one that nobody uses. Called by
 * tap-port.ts.
 */
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { native, PollwireError, toPollwireError } from '@pollwire/native';
import { checkInterfaceName } from './net-interface.js';

/** linux/if_tun.h, as /sys/class/net/NAME/tun_flags shows them. */
const TunFlag = { TUN: 0x0001, MULTI_QUEUE: 0x0100, PERSIST: 0x0800 } as const;

const { ENOENT, ENODEV, ENXIO, EPERM, EACCES, EBUSY, EINVAL } = constants.errno;
const NODE = '/dev/net/tun';

export interface TapWish {
  /** Device name, for errors. */
  readonly device: string;
  /** Name or pattern. */
  readonly iface: string;
  readonly tun: boolean;
}

export interface OpenTap {
  readonly fd: number;
  readonly name: string;
  /** It existed before and was taken over. */
  readonly adopted: boolean;
  /** Further queues can be opened. */
  readonly multiQueue: boolean;
}

/** Throws DEVARG_VALUE, NOT_SUPPORTED (no device node), PERMISSION_DENIED or ALREADY_EXISTS, each with its remedy. */
export function openTap(wish: TapWish): OpenTap {
  checkInterfaceName(wish.device, wish.iface);
  const adopted = adoptable(wish);
  const options = {
    tun: wish.tun,
    multiQueue: adopted?.multiQueue ?? true,
    mustBeNew: adopted === undefined,
  };
  try {
    const { fd, name } = native.tapOpen(wish.iface, options);
    return { fd, name, adopted: adopted !== undefined, multiQueue: options.multiQueue };
  } catch (error) {
    throw inWords(wish, error);
  }
}

/** A further queue of an interface that this process has open. */
export function openTapQueue(wish: TapWish, name: string): number {
  try {
    return native.tapOpen(name, { tun: wish.tun, multiQueue: true, mustBeNew: false }).fd;
  } catch (error) {
    throw inWords(wish, error);
  }
}

/** Whether `iface` names a persistent interface of the right kind without a user; undefined when there is none of that name. */
function adoptable(wish: TapWish): { multiQueue: boolean } | undefined {
  const facts = native.linkFacts(wish.iface);
  if (facts === undefined) return undefined;
  const kind = wish.tun ? 'tun' : 'tap';
  const refuse = (why: string): never => {
    throw new PollwireError('ALREADY_EXISTS', `${wish.device}: iface=${wish.iface}: ${why}.`, {
      details: { iface: wish.iface },
    });
  };
  const file = `/sys/class/net/${wish.iface}/tun_flags`;
  const flags = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  const isTun = (flags & TunFlag.TUN) !== 0;
  if (flags === 0 || isTun !== wish.tun) {
    refuse(`an interface of this name exists and is no ${kind}; choose another name`);
  }
  if ((flags & TunFlag.PERSIST) === 0 || facts.carrier) {
    refuse(`this ${kind} is in use by another program; end that, or choose another name`);
  }
  return { multiQueue: (flags & TunFlag.MULTI_QUEUE) !== 0 };
}

function inWords(wish: TapWish, thrown: unknown): PollwireError {
  const error = toPollwireError(thrown);
  const where = `${wish.device}: iface=${wish.iface}`;
  const say = (code: string, text: string) =>
    new PollwireError(code, `${where}: ${text}.`, { cause: thrown, errno: error.errno });
  switch (Math.abs(error.errno)) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return say(
        'NOT_SUPPORTED',
        `${NODE} is not there; load the module (modprobe tun), or give the container the device (--device ${NODE})`,
      );
    case EPERM:
    case EACCES:
      return say(
        'PERMISSION_DENIED',
        'making an interface needs CAP_NET_ADMIN; run as root, or have it made for you: ' +
          `ip tuntap add dev ${wish.iface.replace('%d', '0')} mode ${wish.tun ? 'tun' : 'tap'} multi_queue vnet_hdr user $USER`,
      );
    case EBUSY:
    case EINVAL:
      return say('ALREADY_EXISTS', 'the name is in use; choose another one');
    default:
      return error;
  }
}
