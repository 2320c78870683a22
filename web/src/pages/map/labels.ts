/** Words on a map that do not cover each other: moved apart as little as needed. */
import type { TagMap } from "$lib/api/types";

type TagPlace = TagMap["tags"][number];

export interface Label {
  tag: TagPlace;
  /** Middle and size of the letters, CSS pixels. */
  x: number;
  y: number;
  size: number;
}

const [SMALLEST, LARGEST] = [11, 24];
const ROUNDS = 240;
const GAP = 3;
const LETTER = 0.56; // mean width of a letter, of the letters' size
const EXTRA = 26; // pixels around the word: dot and edges

/** Places for all tags; the commoner, the larger. The words shrink until there is room for all. */
export function layOut(tags: readonly TagPlace[], width: number, height: number): Label[] {
  const most = Math.max(1, ...tags.map((tag) => tag.count));
  const room = Math.min(1, Math.sqrt((width * height) / (tags.length * 9000)));
  const labels = tags.map((tag) => ({
    tag,
    x: tag.x * width,
    y: (1 - tag.y) * height,
    size: Math.max(SMALLEST, room * (SMALLEST + (LARGEST - SMALLEST) * Math.sqrt(tag.count / most))),
  }));
  const halves = labels.map(({ tag, size }) => ({
    x: (tag.display_name.length * size * LETTER + EXTRA) / 2 + GAP,
    y: (size * 1.25) / 2 + GAP,
  }));
  for (let round = 0; round < ROUNDS; round++) {
    const moved = push(labels, halves);
    labels.forEach((label, i) => {
      label.x = Math.min(width - halves[i]!.x, Math.max(halves[i]!.x, label.x));
      label.y = Math.min(height - halves[i]!.y, Math.max(halves[i]!.y, label.y));
    });
    if (!moved) break;
  }
  return labels;
}

/** Push apart what overlaps, along the shorter way; whether anything did. */
function push(labels: Label[], halves: { x: number; y: number }[]): boolean {
  let moved = false;
  for (let i = 0; i < labels.length; i++)
    for (let j = i + 1; j < labels.length; j++) {
      const [a, b] = [labels[i]!, labels[j]!];
      const overX = halves[i]!.x + halves[j]!.x - Math.abs(a.x - b.x);
      const overY = halves[i]!.y + halves[j]!.y - Math.abs(a.y - b.y);
      if (overX <= 0 || overY <= 0) continue;
      moved = true;
      if (overY < overX) {
        const step = ((a.y < b.y ? -1 : 1) * overY) / 2;
        a.y += step;
        b.y -= step;
      } else {
        const step = ((a.x < b.x ? -1 : 1) * overX) / 2;
        a.x += step;
        b.x -= step;
      }
    }
  return moved;
}
