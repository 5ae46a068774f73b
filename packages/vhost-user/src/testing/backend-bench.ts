/** A back-end session over a memory socket, with a device that remembers and a front-end driven by hand. */
import { BackendSession } from '../backend.js';
import type { BackendHandler } from '../backend-handler.js';
import type { BackendOptions } from '../backend-options.js';
import { Feature } from '../features.js';
import { ProtocolFeature } from '../protocol-features.js';
import type { FdTable, MemorySocket } from './memory-socket.js';
import { memorySocketPair } from './memory-socket.js';
import { RawPeer } from './raw-peer.js';
import { RecordingDevice } from './recording-device.js';

/** What DPDK's net_vhost offers by default. */
export const NET_FEATURES = 0xd7c66e7cbn;

export interface BackendBench {
  readonly session: BackendSession;
  readonly device: RecordingDevice;
  readonly peer: RawPeer;
  readonly table: FdTable;
  /** Far ends of the back-end channels that were opened, newest last. */
  readonly channelPeers: readonly MemorySocket[];
  /** Descriptors open beside the sockets and what the device took. */
  leaked(): number;
  /** Let the session handle what was sent, and give what it answered. */
  exchange(): ReturnType<RawPeer['frames']>;
}

/** Build the bench; `wrap` can put another handler in front of the recording device. */
export function backendBench(
  options: Partial<BackendOptions> = {},
  wrap: (device: RecordingDevice) => BackendHandler = (device) => device,
): BackendBench {
  const [near, far] = memorySocketPair();
  const device = new RecordingDevice();
  device.openFd = () => near.table.open('handed out');
  const table = near.table;
  const channelPeers: MemorySocket[] = [];
  /** A descriptor becomes a channel only if it is a socket. */
  const openChannel = (fd: number): MemorySocket => {
    if (table.kind(fd) !== 'socket') {
      throw new Error(`the descriptor is a ${table.kind(fd)}, not a socket`);
    }
    const [ours, theirs] = memorySocketPair({ table });
    table.close(fd);
    channelPeers.push(theirs);
    return ours;
  };
  const session = new BackendSession(near, wrap(device), {
    features: NET_FEATURES | Feature.VIRTIO_F_ACCESS_PLATFORM,
    vringCount: 4,
    ...options,
    channel: { open: openChannel, ...options.channel },
  });
  const peer = new RawPeer(far);
  return {
    session: session.start(),
    device,
    peer,
    table,
    channelPeers,
    leaked: () => {
      // The near end of a channel closes with the session; the far end is the test's.
      const sockets = [near, far, ...channelPeers].filter((socket) => socket.isOpen);
      const ours = sockets.length + (session.channel === undefined ? 0 : 1);
      return table.openCount - ours - device.taken.filter((fd) => table.isOpen(fd)).length;
    },
    exchange: () => {
      session.poll();
      return peer.frames();
    },
  };
}

/** The usual first messages; leaves the session with features set and the given protocol features. */
export function negotiateRaw(
  { peer, exchange }: BackendBench,
  protocolFeatures: bigint = ProtocolFeature.REPLY_ACK,
  features: bigint = Feature.VHOST_USER_F_PROTOCOL_FEATURES | Feature.VIRTIO_F_VERSION_1,
): void {
  peer.send('GET_FEATURES', undefined);
  peer.send('GET_PROTOCOL_FEATURES', undefined);
  peer.send('SET_PROTOCOL_FEATURES', protocolFeatures);
  peer.send('SET_OWNER', undefined);
  peer.send('SET_FEATURES', features);
  exchange();
}
