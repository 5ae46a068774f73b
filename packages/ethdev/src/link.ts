/** Link status of a port and its text forms, worded as ethdev words them. Called by Port, drivers and testpmd. */

/** What a driver reports and `port.link` returns. */
export interface LinkStatus {
  up: boolean;
  /** Mbit/s; 0 = none, {@link SPEED_UNKNOWN} = the driver cannot tell. */
  speed: number;
  duplex: 'full' | 'half';
  autoneg: boolean;
}

export const SPEED_UNKNOWN = 0xffff_ffff;

/** A port's link before its driver says anything. */
export const LINK_DOWN: Readonly<LinkStatus> = { up: false, speed: 0, duplex: 'half', autoneg: false };

/** '10 Gbps', '2.5 Gbps', '100 Mbps', 'None', 'Unknown'. */
export function formatSpeed(mbps: number): string {
  if (mbps === 0) return 'None';
  if (mbps === SPEED_UNKNOWN) return 'Unknown';
  return mbps >= 1000 ? `${mbps / 1000} Gbps` : `${mbps} Mbps`;
}

/** 'Link down' or 'Link up at 10 Gbps FDX Fixed'. */
export function formatLink(link: Readonly<LinkStatus>): string {
  if (!link.up) return 'Link down';
  const duplex = link.duplex === 'full' ? 'FDX' : 'HDX';
  return `Link up at ${formatSpeed(link.speed)} ${duplex} ${link.autoneg ? 'Autoneg' : 'Fixed'}`;
}
