// Prints a line for each packet that a port receives:  node packet-printer.js [DEVARGS [COUNT]]
import { setImmediate, setTimeout } from 'node:timers/promises';
import { drivers } from '@pollwire/drivers';
import { Eal, formatMac } from '@pollwire/ethdev';
import { netVhost } from '@pollwire/vhost';

const [device = 'net_null0', count = '10'] = process.argv.slice(2);
const eal = await Eal.init({ drivers: [...drivers, netVhost] });
const port = await eal.attach(device);
await port.start();

const { mbufs } = eal;
const header = new Uint8Array(14);
let left = Number(count);

function print(handle: number): void {
  mbufs.read(handle, 0, header);
  const type = ((header[12] as number) << 8) | (header[13] as number);
  console.log(
    `${formatMac(header.subarray(6, 12))} > ${formatMac(header.subarray(0, 6))}` +
      ` type 0x${type.toString(16).padStart(4, '0')} length ${mbufs.pktLen(handle)} segments ${mbufs.nbSegs(handle)}`,
  );
}

const queue = port.rxQueue(0);
const burst = eal.burst(32);
while (left > 0) {
  const received = queue.burst(burst, Math.min(left, 32));
  for (let i = 0; i < received; i++) print(burst.at(i));
  burst.free();
  left -= received;
  await (received > 0 ? setImmediate() : setTimeout(1));
}
await eal.close();
