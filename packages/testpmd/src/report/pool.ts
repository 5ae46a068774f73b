/** `dump mempool`: size and use of the mbuf pools. */
import { lines } from './format.js';

export interface PoolReport {
  name: string;
  size: number;
  free: number;
  cached: number;
  dataRoom: number;
  cacheSize: number;
  elementSize: number;
}

export function formatPool(r: PoolReport): string {
  return lines(
    `mempool <${r.name}>`,
    '  socket_id=0',
    `  size=${r.size}`,
    `  populated_size=${r.size}`,
    '  header_size=64',
    `  elt_size=${r.elementSize}`,
    `  private_data_size=${r.dataRoom}`,
    '  ops_name: <ring_mp_mc>',
    '  internal cache infos:',
    `    cache_size=${r.cacheSize}`,
    `    total_cache_count=${r.cached}`,
    `  common_pool_count=${r.free - r.cached}`,
    '  no statistics available',
  );
}
