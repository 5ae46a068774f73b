// Counts what a guest sends until it hangs up:  node count-packets.js [socket path]
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Eal } from '@pollwire/ethdev';
import { netVhost } from '@pollwire/vhost';

const path = process.argv[2] ?? '/tmp/sock0';
const eal = await Eal.init({ drivers: [netVhost] });
const port = await eal.attach(`net_vhost0,iface=${path}`);
let guestLeft = false;
port.on('intr_lsc', () => {
  console.log(`link ${port.link.up ? 'up' : 'down'}`);
  guestLeft = !port.link.up;
});
await port.start();
console.log(`waiting for a guest at ${path}`);

const burst = eal.burst(32);
let packets = 0;
while (!guestLeft) {
  const received = port.rxQueue(0).burst(burst);
  packets += received;
  burst.free();
  await (received > 0 ? setImmediate() : setTimeout(1));
}
console.log(`${packets} packets, ${port.stats().ibytes} bytes`);
await eal.close();
