/**
 * net_null: rx yields blank packets, tx frees them. The baseline for every other driver and a source and sink for tests.
 * DPDK's manual for it applies: size, copy, no-rx.
 */
import { bool, defineDriver, int } from '@pollwire/ethdev';
import { native } from '@pollwire/native';

export default defineDriver({
  name: 'net_null',
  aliases: ['eth_null'],
  summary: 'yields blank packets and swallows what is sent',
  args: {
    size: int({ default: 64, min: 14, max: 9728, doc: 'bytes of every received packet' }),
    copy: bool({ default: false, doc: 'copy payloads instead of passing headers only' }),
    'no-rx': bool({ default: false, doc: 'receive nothing' }),
  },
  limits: {
    rxQueues: 128,
    txQueues: 128,
    descriptors: { min: 0, max: 65_535, default: 512 },
    maxRxPktLen: 9728,
  },
  capabilities: { alwaysPromiscuous: true, multiSegTx: true, sourceSink: true, speeds: [10_000] },
  probe({ args, portId, slot }) {
    const link = { up: true, speed: 10_000, duplex: 'full', autoneg: false } as const;
    return {
      link,
      rxQueue(_id, { pool }) {
        const end = { kind: 'native', slot: slot() } as const;
        const size = Math.min(args.size, pool.segmentRoom);
        if (!args['no-rx']) native.bindNullRx(end.slot, pool.index, size, args.copy, portId);
        return end;
      },
      txQueue() {
        const end = { kind: 'native', slot: slot() } as const;
        native.bindNullTx(end.slot, args.copy);
        return end;
      },
      start() {},
      stop() {},
      close() {},
    };
  },
});
