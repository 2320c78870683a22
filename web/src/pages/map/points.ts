/**
 * Points of a map, and how to find them: nearest to a place, inside a line, next in a direction.
 *
 * Coordinates lie in [0, 1], y upwards. Points are sorted into the cells of a grid, so that a search looks at
 * few of them.
 */
import { decodeBase64 } from "$lib/api/client";
import type { LibraryMap } from "$lib/api/types";

const CELLS = 192; // along each side
export interface Place {
  x: number;
  y: number;
}

export class Points {
  readonly n: number;
  /** Where each cell's points begin in `order`. */
  private readonly begin = new Uint32Array(CELLS * CELLS + 1);
  private readonly order: Uint32Array;
  private readonly byId = new Map<number, number>();

  constructor(
    readonly ids: Uint32Array,
    readonly x: Float32Array,
    readonly y: Float32Array,
  ) {
    this.n = ids.length;
    this.order = new Uint32Array(this.n);
    for (let point = 0; point < this.n; point++) {
      this.begin[this.cellOf(point) + 1]! += 1;
      this.byId.set(ids[point]!, point);
    }
    for (let cell = 0; cell < CELLS * CELLS; cell++) this.begin[cell + 1]! += this.begin[cell]!;
    const next = this.begin.slice();
    for (let point = 0; point < this.n; point++) this.order[next[this.cellOf(point)]!++] = point;
  }

  static parse(map: LibraryMap): Points {
    const buffer = (text: string) => decodeBase64(text).buffer;
    return new Points(new Uint32Array(buffer(map.ids)), new Float32Array(buffer(map.x)), new Float32Array(buffer(map.y)));
  }

  /** Point of a track; null if it is not on the map. */
  indexOf(id: number): number | null {
    return this.byId.get(id) ?? null;
  }

  place(point: number): Place {
    return { x: this.x[point]!, y: this.y[point]! };
  }

  /** The point nearest to a place and not further than `reach`; null if there is none. */
  nearest({ x, y }: Place, reach: number): number | null {
    let found: number | null = null;
    let least = reach * reach;
    for (const point of this.around(x - reach, y - reach, x + reach, y + reach)) {
      const distance = (this.x[point]! - x) ** 2 + (this.y[point]! - y) ** 2;
      if (distance <= least) [least, found] = [distance, point];
    }
    return found;
  }

  /** The next point from another one in a direction: near, and not too far off to the side. */
  next(from: number, direction: Place): number | null {
    const origin = this.place(from);
    for (let reach = 0.02; reach < 2.9; reach *= 2) {
      let found: number | null = null;
      let least = Infinity;
      for (const point of this.around(origin.x - reach, origin.y - reach, origin.x + reach, origin.y + reach)) {
        const [dx, dy] = [this.x[point]! - origin.x, this.y[point]! - origin.y];
        const along = dx * direction.x + dy * direction.y;
        const aside = Math.abs(dx * direction.y - dy * direction.x);
        if (point === from || along <= 0 || aside > along) continue;
        const cost = along + 2 * aside;
        if (cost < least) [least, found] = [cost, point];
      }
      if (found !== null) return found;
    }
    return null;
  }

  /** All points inside a closed line, in the order of the grid (even–odd rule). */
  inside(line: readonly Place[]): number[] {
    if (line.length < 3) return [];
    const xs = line.map(({ x }) => x);
    const ys = line.map(({ y }) => y);
    const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)] as const;
    return [...this.around(...box)].filter((point) => isInside(line, this.x[point]!, this.y[point]!));
  }

  /** The `count` points nearest to another one, itself first. */
  nearby(from: number, count: number): number[] {
    const origin = this.place(from);
    for (let reach = 0.01; ; reach *= 2) {
      const near = [...this.around(origin.x - reach, origin.y - reach, origin.x + reach, origin.y + reach)]
        .map((point) => ({ point, distance: Math.hypot(this.x[point]! - origin.x, this.y[point]! - origin.y) }))
        .filter(({ distance }) => distance <= reach);
      if (near.length < Math.min(count, this.n) && reach < 2) continue;
      return near
        .sort((a, b) => a.distance - b.distance)
        .slice(0, count)
        .map(({ point }) => point);
    }
  }

  /** Points of the cells that a box touches. */
  private *around(left: number, low: number, right: number, high: number): Generator<number> {
    const [first, last] = [cellAt(left), cellAt(right)];
    for (let row = cellAt(low); row <= cellAt(high); row++) {
      const end = this.begin[row * CELLS + last + 1]!;
      for (let place = this.begin[row * CELLS + first]!; place < end; place++) yield this.order[place]!;
    }
  }

  private cellOf(point: number): number {
    return cellAt(this.y[point]!) * CELLS + cellAt(this.x[point]!);
  }
}

function cellAt(coordinate: number): number {
  return Math.min(CELLS - 1, Math.max(0, Math.floor(coordinate * CELLS)));
}

function isInside(line: readonly Place[], x: number, y: number): boolean {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i++) {
    const a = line[i]!;
    const b = line[j]!;
    if (a.y > y !== b.y > y && x < ((b.x - a.x) * (y - a.y)) / (b.y - a.y) + a.x) inside = !inside;
  }
  return inside;
}
