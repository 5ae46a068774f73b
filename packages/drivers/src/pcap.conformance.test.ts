/** net_pcap against the conformance suite; what it does with packets is in pcap.test.ts. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeDriver } from '@pollwire/testkit';
import { pcapBytes } from './fixtures/pcap-bytes.js';
import driver from './pcap.js';

const dir = mkdtempSync(join(tmpdir(), 'pw-pcap-'));
const input = join(dir, 'in.pcap');
const notPcap = join(dir, 'text');
writeFileSync(input, pcapBytes([new Uint8Array(60)]));
writeFileSync(notPcap, 'This is a text of more than twenty-four bytes.');

describeDriver({
  driver,
  devargs: (n) => `,rx_pcap=${input},tx_pcap=${join(dir, `out${n}`)}`,
  refused: [
    ['', /there is no file/],
    [`,rx_pcap=${dir}/none`, /No such file/],
    [`,rx_pcap=${dir}`, /no regular file|directory/],
    [`,rx_pcap=${notPcap}`, /no capture file/],
    [`,rx_pcap=${input},tx_pcap=${input}`, /used already/],
    [`,tx_pcap=${dir}/none/out`, /No such file/],
    [',rx_iface=lo', /net_af_packet/],
    [`,rx_pcap=${input},snaplen=13`, /snaplen=13/],
  ],
});
