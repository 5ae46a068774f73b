/** `csum`, `tso`, `vlan`, `tx_vlan`, `rx_vlan`: what ports do with checksums, large packets and tags. Texts are DPDK's. */
import type { Port, TxOffload } from '@pollwire/ethdev';
import {
  QINQ_STRIP,
  txOffloadMask,
  VLAN_EXTEND,
  VLAN_FILTER,
  VLAN_STRIP,
  vlanOffloadOf,
} from '@pollwire/ethdev';
import { PollwireError } from '@pollwire/native';
import { errnoOf } from '../errors.js';
import { kw, num, onOff, pick, port, word } from '../grammar.js';
import type { ChecksumOffloads } from '../settings.js';
import { rxOffloadsOf } from '../settings.js';
import type { Testpmd } from '../testpmd.js';
import { parseNumber } from '../values.js';
import { define, refusePort } from './context.js';

const section = 'config';

const MAX_VLAN = 4095;

function find(app: Testpmd, id: number): Port | undefined {
  const found = app.ports.get(id);
  if (found === undefined) refusePort(app, id);
  return found;
}

const can = (one: Port, offload: TxOffload): boolean =>
  (one.info.txOffloadCapa & txOffloadMask([offload])) !== 0;

/** The port when it may be changed: offloads are part of its configuration. */
function findStopped(app: Testpmd, id: number): Port | undefined {
  const found = find(app, id);
  if (found?.state !== 'started') return found;
  app.out.error(`Please stop port ${id} first`);
  return undefined;
}

const NO_CHECKSUMS: ChecksumOffloads = { ip: false, udp: false, tcp: false };

/** What the csum engine treats; the rest of DPDK's list is refused as hardware work and never done by it. */
const PROTOCOLS = {
  ip: { key: 'ip', text: 'IP', offload: 'IPV4_CKSUM' },
  udp: { key: 'udp', text: 'UDP', offload: 'UDP_CKSUM' },
  tcp: { key: 'tcp', text: 'TCP', offload: 'TCP_CKSUM' },
  sctp: { key: undefined, text: 'SCTP', offload: 'SCTP_CKSUM' },
  'outer-ip': { key: undefined, text: 'Outer IP', offload: 'OUTER_IPV4_CKSUM' },
  'outer-udp': { key: undefined, text: 'Outer UDP', offload: 'OUTER_UDP_CKSUM' },
} as const;
const PROTOCOL_NAMES = Object.keys(PROTOCOLS) as (keyof typeof PROTOCOLS)[];

function setChecksum(app: Testpmd, one: Port, protocol: keyof typeof PROTOCOLS, where: 'hw' | 'sw'): void {
  const { key, text, offload } = PROTOCOLS[protocol];
  if (where === 'hw' && (key === undefined || !can(one, offload))) {
    app.out.error(`${text} checksum offload is not supported by port ${one.id}`);
    return;
  }
  if (key === undefined) return;
  const before = app.settings.checksum.get(one.id) ?? NO_CHECKSUMS;
  app.settings.checksum.set(one.id, { ...before, [key]: where === 'hw' });
  app.ports.settingsChanged(one.id);
}

function showChecksums(app: Testpmd, id: number): void {
  const { ip, udp, tcp } = app.settings.checksum.get(id) ?? NO_CHECKSUMS;
  const rows: [name: string, inHardware: boolean][] = [
    ['IP', ip],
    ['UDP', udp],
    ['TCP', tcp],
    ['SCTP', false],
    ['Outer-Ip', false],
    ['Outer-Udp', false],
  ];
  const lines = rows.map(([name, hw]) => `${name} checksum offload is ${hw ? 'hw' : 'sw'}\n`);
  app.out.write(`Parse tunnel is off\n${lines.join('')}`);
}

function showTso(app: Testpmd, id: number): void {
  const size = app.settings.tso.get(id);
  app.out.write(
    size === undefined
      ? 'TSO for non-tunneled packets is disabled\n'
      : `TSO segment size for non-tunneled packets is ${size}\n`,
  );
}

function setTso(app: Testpmd, one: Port, size: number): void {
  if (size !== 0 && !can(one, 'TCP_TSO')) {
    app.out.error(`Error: TSO is not supported by port ${one.id}`);
    return;
  }
  if (size === 0) app.settings.tso.delete(one.id);
  else app.settings.tso.set(one.id, size);
  app.ports.settingsChanged(one.id);
  showTso(app, one.id);
}

/** The functions of DPDK's testpmd stand in its messages. */
const VLAN_MODES = {
  strip: { bit: VLAN_STRIP, name: 'rx_vlan_strip_set' },
  filter: { bit: VLAN_FILTER, name: 'rx_vlan_filter_set' },
  extend: { bit: VLAN_EXTEND, name: 'vlan_extend_set' },
  qinq_strip: { bit: QINQ_STRIP, name: 'rx_vlan_qinq_strip_set' },
} as const;
const VLAN_MODE_NAMES = Object.keys(VLAN_MODES) as (keyof typeof VLAN_MODES)[];

/** Takes effect at once on a configured port, and stays for its next configuration. */
function setVlan(app: Testpmd, one: Port, mode: keyof typeof VLAN_MODES, on: boolean): void {
  const { bit, name } = VLAN_MODES[mode];
  const { settings } = app;
  const before = settings.vlan.get(one.id) ?? vlanOffloadOf(rxOffloadsOf(settings, one.id));
  const vlan = on ? before | bit : before & ~bit;
  try {
    if (one.state !== 'attached') one.setVlanOffload(vlan);
    else if ((vlan & ~vlanOffloadOf(one.info.rxOffloadCapa)) !== 0) {
      throw new PollwireError('OFFLOAD_UNSUPPORTED', `Port ${one.id} has no such VLAN offload.`);
    }
    settings.vlan.set(one.id, vlan);
  } catch (error) {
    app.out.error(`${name}(port_pi=${one.id}, on=${Number(on)}) failed diag=${errnoOf(error)}`);
  }
}

/** @returns whether the driver did it. */
function filterVlan(app: Testpmd, one: Port, id: number, on: boolean): boolean {
  try {
    one.vlanFilter(id, on);
    return true;
  } catch (error) {
    app.out.error(
      `rx_vft_set(port_pi=${one.id}, vlan_id=${id}, on=${Number(on)}) failed diag=${errnoOf(error)}`,
    );
    return false;
  }
}

/** A VLAN id or a refusal and undefined. */
function checkVlan(app: Testpmd, id: number | undefined): number | undefined {
  if (id !== undefined && id <= MAX_VLAN) return id;
  app.out.error(id === undefined ? 'Bad arguments' : `Invalid vlan_id ${id} (must be < ${MAX_VLAN + 1})`);
  return undefined;
}

export const offloadCommands = [
  define({
    words: [kw('csum'), kw('set'), pick('protocol', PROTOCOL_NAMES), pick('where', ['hw', 'sw']), port()],
    section,
    help: 'Checksums of the csum engine by the transmit port or in software; the port must be stopped.',
    run: ({ protocol, where, port: id }, app) => {
      const one = findStopped(app, id);
      if (one === undefined) return;
      setChecksum(app, one, protocol, where);
      showChecksums(app, id);
    },
  }),
  define({
    words: [kw('csum'), kw('show'), port()],
    section,
    help: 'Show who computes the checksums of the csum engine.',
    run: ({ port: id }, app) => {
      if (find(app, id) !== undefined) showChecksums(app, id);
    },
  }),
  define({
    words: [kw('tso'), kw('set'), num('tso_segsz', 0, 65_535), port()],
    section,
    help: 'Let a port cut TCP packets of the csum engine into segments (0: no); the port must be stopped.',
    run: ({ tso_segsz: size, port: id }, app) => {
      const one = findStopped(app, id);
      if (one !== undefined) setTso(app, one, size);
    },
  }),
  define({
    words: [kw('tso'), kw('show'), port()],
    section,
    help: 'Show the segment size of a port.',
    run: ({ port: id }, app) => {
      if (find(app, id) !== undefined) showTso(app, id);
    },
  }),
  define({
    words: [kw('vlan'), kw('set'), pick('mode', VLAN_MODE_NAMES), onOff('on'), port()],
    section,
    help: 'Take VLAN tags out on receive, or filter by them.',
    run: ({ mode, on, port: id }, app) => {
      const one = find(app, id);
      if (one !== undefined) setVlan(app, one, mode, on);
    },
  }),
  define({
    words: [kw('tx_vlan'), kw('set'), port(), num('vlan_id', 0, 65_535)],
    section,
    help: 'Put a VLAN tag into what mac, macswap and txonly send; the port must be stopped.',
    run: ({ port: id, vlan_id: vlan }, app) => {
      const one = findStopped(app, id);
      if (one === undefined || checkVlan(app, vlan) === undefined) return;
      if (!can(one, 'VLAN_INSERT')) {
        app.out.error(`Error: vlan insert is not supported by port ${id}`);
        return;
      }
      app.settings.txVlan.set(id, vlan);
      app.ports.settingsChanged(id);
    },
  }),
  define({
    words: [kw('tx_vlan'), kw('reset'), port()],
    section,
    help: 'Send without a VLAN tag again; the port must be stopped.',
    run: ({ port: id }, app) => {
      if (findStopped(app, id) === undefined) return;
      app.settings.txVlan.delete(id);
      app.ports.settingsChanged(id);
    },
  }),
  define({
    words: [kw('rx_vlan'), pick('action', ['add', 'rm']), word('vlan_id', '(vlan_id|all)'), port()],
    section,
    help: 'Let a VLAN through the filter of a port, or not.',
    run: ({ action, vlan_id: text, port: id }, app) => {
      const one = find(app, id);
      if (one === undefined) return;
      const on = action === 'add';
      if (text === 'all') {
        for (let vlan = 0; vlan <= MAX_VLAN; vlan++) if (!filterVlan(app, one, vlan, on)) return;
        return;
      }
      const vlan = checkVlan(app, parseNumber(text));
      if (vlan !== undefined) filterVlan(app, one, vlan, on);
    },
  }),
];
