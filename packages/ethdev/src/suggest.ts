/** "Did you mean": the nearest known word, for every refused key, name, option and command. */

/** Edit distance with transpositions (optimal string alignment), stopping early once it exceeds `limit`. */
export function editDistance(a: string, b: string, limit = Number.POSITIVE_INFINITY): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(
        (previous[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (previous[j - 1] as number) + (same ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] as number) + 1);
      }
      row.push(best);
    }
    if (Math.min(...row) > limit) return limit + 1;
    before = previous;
    previous = row;
  }
  return previous[b.length] as number;
}

/** The candidate that `word` most probably stands for, or undefined when none is near (about a third of the letters may differ). */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance - 1);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `; did you mean 'iface'` or '': put it at the end of a sentence and that into {@link endSentence}. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const near = suggest(word, candidates);
  return near === undefined ? '' : `; did you mean '${near}'`;
}

/** The text with the mark that ends it: '?' behind a suggestion, else a full stop. */
export function endSentence(text: string): string {
  return /; did you mean '[^']*'$/.test(text) ? `${text}?` : `${text}.`;
}

/** 'a, b and c'; 'none' for an empty list. */
export function sentenceList(words: readonly (string | number)[]): string {
  if (words.length === 0) return 'none';
  if (words.length === 1) return String(words[0]);
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
