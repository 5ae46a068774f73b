/** A forwarding plan and the settings as reports: `show config fwd` and `show config rxtx`. */
import type { Port } from '@pollwire/ethdev';
import type { ForwardConfigReport } from './report/forward-config.js';
import type { RxTxConfigReport } from './report/rxtx-config.js';
import type { Settings } from './settings.js';
import { peerOf } from './settings.js';
import type { ForwardPlan } from './streams.js';

export function describeForwardConfig(plan: ForwardPlan, settings: Settings): ForwardConfigReport {
  return {
    mode: settings.engine,
    ports: plan.ports.length,
    streams: plan.streams.length,
    ...(settings.retry ? { retry: { count: settings.retryCount, delayUs: settings.retryDelayUs } } : {}),
    lcores: plan.lcores.map(({ lcore, streams }) => ({
      lcore,
      streams: streams.map((stream) => ({ ...stream, peer: peerOf(settings, stream.txPort) })),
    })),
  };
}

export function describeRxTx(
  plan: ForwardPlan,
  settings: Settings,
  portOf: (id: number) => Port | undefined,
): RxTxConfigReport {
  const generates = settings.engine === 'txonly' || settings.engine === 'flowgen';
  const { segments } = settings.traffic;
  const length = segments.reduce((sum, bytes) => sum + bytes, 0);
  return {
    mode: settings.engine,
    retry: settings.retry,
    burst: settings.burst,
    ...(generates ? { generated: { length, segments: segments.length } } : {}),
    cores: plan.lcores.length,
    ports: plan.ports.flatMap((id) => {
      const config = portOf(id)?.config;
      return config === undefined
        ? []
        : [{ port: id, ...config, rxDescriptors: settings.rxd, txDescriptors: settings.txd }];
    }),
  };
}
