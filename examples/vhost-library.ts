// The vhost library without a port: answers each packet of a guest with the same packet, addresses swapped, until
// the guest hangs up.   node vhost-library.js [SOCKET]
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Eal } from '@pollwire/ethdev';
import type { VringReceiver, VringTransmitter } from '@pollwire/vhost';
import { VhostSocket } from '@pollwire/vhost';

const path = process.argv[2] ?? '/tmp/sock0';
const eal = await Eal.init();
const pool = eal.createPool({ name: 'guest', size: 4096 });

let rx: VringReceiver | undefined;
let tx: VringTransmitter | undefined;
let left = false;
const socket = new VhostSocket(path, { queuePairs: 1 });
socket
  .on('new_device', (device) => {
    console.log(`device ${device.id}: features 0x${device.features.toString(16)}`);
    rx = device.receiver(0, pool);
    tx = device.transmitter(0);
  })
  .on('destroy_device', ({ id }) => console.log(`device ${id} stopped`))
  .on('destroy_connection', () => {
    left = true;
  })
  .on('problem', (text) => console.error(text));
socket.start();
console.log(`listening at ${path}`);

const burst = eal.burst(32);
let answered = 0;
while (!left) {
  const received = rx?.burst(burst) ?? 0;
  for (let i = 0; i < received; i++) eal.mbufs.swapMacs(burst.at(i));
  const sent = tx?.burst(burst) ?? 0;
  burst.free(sent);
  answered += sent;
  await (received > 0 ? setImmediate() : setTimeout(1));
}
console.log(`${answered} packets answered`);
await socket.close();
await eal.close();
