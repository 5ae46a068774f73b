/** net_pcap: capture files as a port. Received is what a file holds, what is sent goes into another. Devargs are DPDK's. */
import { bool, defineDriver, int, later, list, path } from '@pollwire/ethdev';
import { PcapPort } from './pcap-port.js';

const LIVE = 'interfaces are the work of net_af_packet,iface=…';
const MAX_QUEUES = 16;

export default defineDriver({
  name: 'net_pcap',
  aliases: ['eth_pcap'],
  summary: 'capture files: rx replays one, tx writes one',
  args: {
    rx_pcap: list(path(), { doc: 'file to receive from; give one for each queue' }),
    tx_pcap: list(path(), {
      doc: 'file to send to, replaced; give one for each queue; without one packets are dropped',
    }),
    infinite_rx: bool({ default: false, doc: 'begin again at the end of the file' }),
    snaplen: int({ default: 65_535, min: 14, max: 65_535, doc: 'bytes of a packet that are written' }),
    rx_iface: later('', LIVE),
    rx_iface_in: later('', LIVE),
    tx_iface: later('', LIVE),
    iface: later('', LIVE),
    phy_mac: later('0', 'a capture file has no address; leave it out'),
    eof: later(
      '0',
      'the end of a file is not reported yet; compare the packets received with those in the file',
    ),
  },
  limits: {
    rxQueues: MAX_QUEUES,
    txQueues: MAX_QUEUES,
    descriptors: { min: 0, max: 65_535, default: 512 },
    maxRxPktLen: 65_535,
  },
  capabilities: { alwaysPromiscuous: true, multiSegTx: true, multiSegRx: true, speeds: [10_000] },
  probe: (ctx) => new PcapPort(ctx, MAX_QUEUES),
});
