/** The `RX-bursts : …` line: how full bursts were. Shows the empty ones, the two commonest sizes and the rest. */

/**
 * @param bursts number of bursts by packets carried, index 0 = empty; undefined = not recorded.
 * @returns no line when nothing was counted.
 */
export function formatBursts(direction: 'RX' | 'TX', bursts: readonly number[] | undefined): string[] {
  if (bursts === undefined) return [];
  const total = bursts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return [];
  const commonest = bursts
    .map((count, packets) => ({ count, packets }))
    .slice(1)
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count || a.packets - b.packets)
    .slice(0, 2);
  const entries = [{ count: bursts[0] ?? 0, packets: 0 }, ...commonest];
  const parts: string[] = [];
  let seen = 0;
  let percentSeen = 0;
  for (const { count, packets } of entries) {
    seen += count;
    if (seen === total) {
      // The last share takes the rounding of the others, so that the line adds up to 100 %.
      parts.push(`${100 - percentSeen}% of ${packets} pkts`);
      break;
    }
    const percent = Math.trunc((count / total) * 100);
    percentSeen += percent;
    parts.push(`${percent}% of ${packets} pkts`);
  }
  if (seen < total) parts.push(`${100 - percentSeen}% of other`);
  return [`  ${direction}-bursts : ${total} [${parts.join(' + ')}]`];
}
