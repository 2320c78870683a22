/**
 * Where the names of chords stand in a lane: each at the place where its chord begins, as in a lead sheet.
 *
 * Not all have room in a long song. The chord that sounds now comes first, then those that last more than
 * twice as long as others, and the earlier ones; no two overlap, and none leaves the lane.
 */

export interface Span {
  start: number;
  end: number;
}
export interface PlacedName {
  index: number;
  /** Pixels from the left edge of the lane. */
  left: number;
}

const GAP = 2; // pixels between two names

/**
 * @param spans chords in order, in seconds
 * @param from, to the stretch of time that is shown
 * @param width of the lane, in pixels
 * @param measure width of a name, in pixels
 * @param now index of the chord that sounds, or −1
 */
export function placeNames(
  spans: readonly Span[],
  from: number,
  to: number,
  width: number,
  measure: (index: number) => number,
  now: number,
): PlacedName[] {
  const visible = spans.flatMap(({ start, end }, index) => (end > from && start < to ? [index] : []));
  const rank = (index: number) =>
    index === now ? Infinity : Math.floor(Math.log2(spans[index]!.end - spans[index]!.start));
  const order = visible.sort((a, b) => (rank(a) === rank(b) ? a - b : rank(b) - rank(a)));
  const placed: (PlacedName & { right: number })[] = [];
  for (const index of order) {
    const size = measure(index);
    const begins = ((spans[index]!.start - from) / (to - from)) * width;
    const ends = ((spans[index]!.end - from) / (to - from)) * width;
    // A chord that began before the view is named at its edge, as long as there is enough of it.
    if (begins < 0 && index !== now && ends < size) continue;
    const left = Math.max(0, Math.min(begins, width - size));
    if (left < begins - size / 2 && index !== now) continue; // too near to the right edge
    if (placed.every((other) => left + size + GAP <= other.left || other.right + GAP <= left))
      placed.push({ index, left, right: left + size });
  }
  return placed.sort((a, b) => a.left - b.left).map(({ index, left }) => ({ index, left }));
}
