/**
 * DPDK's options that have nothing to act on here: hardware thresholds, NUMA placement, other processes' memory. They are accepted so that
 * existing command lines work, and named in one note.
 */
import type { OptionRow } from './table.js';

const NUMA = 'memory placement; there is one arena';
const THRESHOLD = 'descriptor threshold of hardware rings';
const RSS = 'receive side scaling is the business of the peer';
const LATER = 'measurement that is not made';

const flag = (name: string, help: string): OptionRow => ({ name, help });
const valued = (name: string, help: string): OptionRow => ({ name, value: 'X', help });

export const acceptedOptions: readonly OptionRow[] = [
  flag('numa', NUMA),
  flag('no-numa', NUMA),
  valued('port-numa-config', NUMA),
  valued('ring-numa-config', NUMA),
  valued('socket-num', NUMA),
  flag('mlockall', 'memory locking'),
  flag('no-mlockall', 'memory locking'),
  valued('mp-alloc', 'mempool memory; always the arena'),
  flag('no-iova-contig', 'mempool memory; always the arena'),
  valued('rxpt', THRESHOLD),
  valued('rxht', THRESHOLD),
  valued('rxwt', THRESHOLD),
  valued('rxfreet', THRESHOLD),
  valued('txpt', THRESHOLD),
  valued('txht', THRESHOLD),
  valued('txwt', THRESHOLD),
  valued('txfreet', THRESHOLD),
  valued('txrst', THRESHOLD),
  flag('disable-rss', RSS),
  flag('rss-ip', RSS),
  flag('rss-udp', RSS),
  flag('rss-level-inner', RSS),
  flag('rss-level-outer', RSS),
  valued('rx-mq-mode', RSS),
  valued('rxq-share', 'shared receive queues of hardware'),
  flag('enable-drop-en', 'drop mode of hardware rings'),
  valued('eth-link-speed', 'link speed; a virtual port has what its devargs say'),
  flag('flow-isolate-all', 'flow rules'),
  valued('vxlan-gpe-port', 'tunnel parsing of hardware'),
  valued('geneve-parsed-port', 'tunnel parsing of hardware'),
  valued('bitrate-stats', LATER),
  valued('latencystats', LATER),
  flag('hot-plug', 'device monitor of the kernel'),
  valued('hairpin-mode', 'hairpin queues'),
  valued('max-lro-pkt-size', 'limit of hardware LRO'),
  flag('multi-rx-mempool', 'several pools per receive queue'),
];
