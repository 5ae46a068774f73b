/** Port counters with rates: remembers what each port had when it was last shown. Called by `show port stats` and --stats-period. */
import type { Port } from '@pollwire/ethdev';
import type { Clock } from './output.js';
import type { PortStatsReport } from './report/port-stats.js';

interface Shown {
  at: number;
  ipackets: bigint;
  opackets: bigint;
  ibytes: bigint;
  obytes: bigint;
}

export class PortStatistics {
  private readonly shown = new WeakMap<Port, Shown>();

  constructor(private readonly clock: Clock) {}

  /** Counters now, rates since the last call for this port; 0 the first time and after a reset. */
  report(port: Port, xstatNames: readonly string[] = []): PortStatsReport {
    const s = port.stats();
    const now = this.clock.now();
    const before = this.shown.get(port);
    const { ipackets, opackets, ibytes, obytes } = s;
    this.shown.set(port, { at: now, ipackets, opackets, ibytes, obytes });
    const perSecond = (value: bigint, old: bigint | undefined): bigint => {
      if (before === undefined || old === undefined || value < old || now <= before.at) return 0n;
      return BigInt(Math.floor((Number(value - old) * 1000) / (now - before.at)));
    };
    return {
      port: port.id,
      rxPackets: ipackets,
      rxMissed: s.imissed,
      rxBytes: ibytes,
      rxErrors: s.ierrors,
      rxNoMbuf: s.rxNombuf,
      txPackets: opackets,
      txErrors: s.oerrors,
      txBytes: obytes,
      rxPps: perSecond(ipackets, before?.ipackets),
      txPps: perSecond(opackets, before?.opackets),
      rxBps: perSecond(ibytes, before?.ibytes) * 8n,
      txBps: perSecond(obytes, before?.obytes) * 8n,
      ...(xstatNames.length > 0
        ? { xstats: port.xstats().filter(([name]) => xstatNames.includes(name)) }
        : {}),
    };
  }

  /** Counters were set back: the next rates start again. */
  forget(port: Port): void {
    this.shown.delete(port);
  }
}
