/**
 * One end of a TCP transfer, for use inside a network namespace:
 *
 *   tcp-end.js take ADDRESS PORT        prints LISTENING, then the hash of what arrives
 *   tcp-end.js send ADDRESS PORT MIB    sends so much, then prints its hash
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { hashOf, TcpContent } from '../../harness/tcp-content.js';

const [role, address, port, mebibytes] = process.argv.slice(2);

if (role === 'take') {
  const server = createServer().listen(Number(port), address);
  await once(server, 'listening');
  console.log('LISTENING');
  const [socket] = (await once(server, 'connection')) as [Socket];
  console.log(`HASH ${await hashOf(socket)}`);
  server.close();
} else {
  const content = new TcpContent(Number(mebibytes));
  const socket = connect(Number(port), address);
  await once(socket, 'connect');
  await content.sendTo(socket);
  console.log(`HASH ${content.hash}`);
}
