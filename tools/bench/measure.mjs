// @ts-check
// Runs one cell once: a vhost testpmd of the given kind, a DPDK virtio-user peer, a few seconds of traffic.
import { existsSync } from 'node:fs';
import { RING_ARGS } from './cells.mjs';
import { sleep, socketDir, Testpmd } from './testpmd.mjs';

/** Periods (seconds) after the start that do not count, and those that do. */
const WARM_UP = 2;
const COUNTED = 4;

/**
 * @param {import('./cells.mjs').Cell} cell
 * @param {import('./testpmd.mjs').Kind} kind
 * @returns {Promise<number>} the best second, packets per second, as the DPDK peer counts them
 */
export async function measure(cell, kind) {
  const sockets = socketDir();
  const socket = sockets.path('vhost.sock');
  const toHost = cell.direction === 'guest-to-host';
  const queues = [`--rxq=${cell.queues}`, `--txq=${cell.queues}`];
  const mode = (/** @type {boolean} */ sends) => [
    `--forward-mode=${sends ? 'txonly' : 'rxonly'}`,
    '--auto-start',
    ...(sends ? [`--txpkts=${cell.size}`] : []),
    ...queues,
  ];
  const vhost = new Testpmd({
    kind,
    vdev: [`net_vhost0,iface=${socket},queues=${cell.queues}`],
    app: mode(!toHost),
    mainLcore: 0,
    prefix: `pwv${process.pid}`,
  });
  /** @type {Testpmd | undefined} */
  let peer;
  try {
    await until(
      () => existsSync(socket),
      10_000,
      () => `no socket from the ${kind} side:\n${vhost.log}`,
    );
    await sleep(300);
    peer = new Testpmd({
      kind: 'dpdk',
      vdev: [`net_virtio_user0,path=${socket},queues=${cell.queues},${RING_ARGS[cell.ring]}`],
      app: mode(toHost),
      mainLcore: 1,
      prefix: `pwp${process.pid}`,
    });
    const running = peer;
    const enough = () => running.periods.filter(([rx, tx]) => rx + tx > 0).length >= WARM_UP + COUNTED;
    await until(
      enough,
      30_000,
      () => `too few statistics from the peer:\n${running.log.slice(-2000)}\n${vhost.log.slice(-2000)}`,
    );
    const counted = running.periods.filter(([rx, tx]) => rx + tx > 0).slice(WARM_UP);
    return Math.max(...counted.map(([rx, tx]) => (toHost ? tx : rx)));
  } finally {
    await peer?.stop();
    await vhost.stop();
    sockets.remove();
  }
}

/** @param {() => boolean} condition @param {number} ms @param {() => string} failure */
async function until(condition, ms, failure) {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(failure());
    await sleep(50);
  }
}
