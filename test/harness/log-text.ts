/** Log text made short enough for the message of a failed test. */

/** The last `lines` lines. */
export function tail(text: string, lines: number): string {
  return text.trimEnd().split('\n').slice(-lines).join('\n');
}

/**
 * Drops the answers of all polled `show port` commands but the last, which would push everything else out of a tail; events
 * printed meanwhile stay.
 */
export function withoutPolling(text: string): string {
  return text.replace(
    /testpmd> show port (?:stats|info|xstats) \d+[^>]*(?=testpmd> show port)/g,
    (answer) => answer.match(/^Port \d+: .* event\n/gm)?.join('') ?? '',
  );
}
