/** QEMU's command line for one vhost-user NIC and for the machine around it. Pure: options in, arguments out. */

export interface GuestNic {
  /** Path of the vhost-user socket. */
  socket: string;
  /** QEMU connects (client, default) or listens (server; the back-end then runs as client). */
  role?: 'client' | 'server';
  /** As client: tries again every second after the back-end went away. */
  reconnect?: boolean;
  /** Queue pairs, default 1. */
  queues?: number;
  /** Default 52:54:00:77:00:02 for the first NIC, then counting up. */
  mac?: string;
  /** Keeps the option ROM, so that iPXE drives the device before an operating system does. */
  rom?: boolean;
  /** Device properties; absent ones keep QEMU's defaults. */
  mrgRxbuf?: boolean;
  packed?: boolean;
  indirectDesc?: boolean;
  eventIdx?: boolean;
  csum?: boolean;
  guestCsum?: boolean;
  /** All host and guest segmentation offloads at once. */
  tso?: boolean;
  hostMtu?: number;
  rxQueueSize?: number;
  txQueueSize?: number;
  /** Further properties, e.g. `{ 'disable-modern': 'on' }`. */
  properties?: Record<string, string>;
}

export interface MachineOptions {
  memoryMiB?: number;
  smp?: number;
  /** Guest memory on 2 MiB hugepages. */
  hugepages?: boolean;
  /** Empty slots for memory that comes later, and with them a gap in the guest's addresses. Default 0. */
  memorySlots?: number;
  /** QEMU machine type, default `pc`. */
  machine?: string;
  /** `shared` as vhost-user needs it (default); `private`: a file mapped with share=off; `plain`: no file at all. */
  memory?: 'shared' | 'private' | 'plain';
}

/** MAC address of NIC number `index` where none was chosen. */
export function nicMac(index: number): string {
  return `52:54:00:77:00:${(index + 2).toString(16).padStart(2, '0')}`;
}

const tsoProperties = [
  'host_tso4',
  'host_tso6',
  'host_ufo',
  'host_ecn',
  'guest_tso4',
  'guest_tso6',
  'guest_ufo',
  'guest_ecn',
];

/**
 * `-chardev`, `-netdev` and `-device` of one NIC.
 *
 * @param version of QEMU: before 8, MSI-X with vhost-user under TCG ends in a segmentation fault, so vectors are off
 */
export function nicArgs(index: number, nic: GuestNic, version: readonly [number, number]): string[] {
  const queues = nic.queues ?? 1;
  const chardev = [`socket,id=chr${index}`, `path=${nic.socket}`];
  if (nic.role === 'server') chardev.push('server=on', 'wait=off');
  else if (nic.reconnect === true) chardev.push('reconnect=1');

  const onOff: Record<string, boolean | undefined> = {
    mrg_rxbuf: nic.mrgRxbuf,
    packed: nic.packed,
    indirect_desc: nic.indirectDesc,
    event_idx: nic.eventIdx,
    csum: nic.csum,
    guest_csum: nic.guestCsum,
  };
  for (const property of tsoProperties) onOff[property] = nic.tso;
  const device = [
    'virtio-net-pci',
    `netdev=net${index}`,
    `id=nic${index}`,
    `mac=${nic.mac ?? nicMac(index)}`,
  ];
  if (nic.rom !== true) device.push('romfile=');
  if (version[0] < 8) device.push('vectors=0');
  if (queues > 1) device.push('mq=on');
  for (const [name, value] of Object.entries(onOff)) {
    if (value !== undefined) device.push(`${name}=${value ? 'on' : 'off'}`);
  }
  if (nic.hostMtu !== undefined) device.push(`host_mtu=${nic.hostMtu}`);
  if (nic.rxQueueSize !== undefined) device.push(`rx_queue_size=${nic.rxQueueSize}`);
  if (nic.txQueueSize !== undefined) device.push(`tx_queue_size=${nic.txQueueSize}`);
  for (const [name, value] of Object.entries(nic.properties ?? {})) device.push(`${name}=${value}`);

  return [
    '-chardev',
    chardev.join(','),
    '-netdev',
    `vhost-user,id=net${index},chardev=chr${index},vhostforce=on,queues=${queues}`,
    '-device',
    device.join(','),
  ];
}

/** Machine, memory shared with the back-end, no default devices. POLLWIRE_QEMU_ACCEL replaces `tcg`. */
export function machineArgs(options: MachineOptions): string[] {
  const memory = options.memoryMiB ?? 256;
  // A hugetlb memfd needs free pages but no mounted hugetlbfs.
  const pages = options.hugepages === true ? 'hugetlb=on,hugetlbsize=2M,' : '';
  return [
    '-machine',
    options.machine ?? 'pc',
    '-accel',
    process.env.POLLWIRE_QEMU_ACCEL ?? 'tcg',
    '-smp',
    String(options.smp ?? 1),
    '-m',
    options.memorySlots === undefined ? `${memory}M` : `${memory}M,slots=${options.memorySlots},maxmem=4G`,
    '-object',
    options.memory === 'plain'
      ? `memory-backend-ram,id=mem,size=${memory}M`
      : `memory-backend-memfd,id=mem,${pages}size=${memory}M,share=${options.memory === 'private' ? 'off' : 'on'}`,
    '-numa',
    'node,memdev=mem',
    '-nodefaults',
    '-display',
    'none',
  ];
}
