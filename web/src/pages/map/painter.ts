/** What draws points on a canvas: WebGL 2, or the processor where no graphics card does it. */
import type { Points } from "./points";
import { PixelPainter } from "./pixel_painter";
import { WebglPainter } from "./webgl_painter";

/** How all points are to look. */
export interface Look {
  /** By score 0 to 255: red, green, blue and opacity, bytes. */
  colours: Uint8ClampedArray;
  /** Of a chosen point, whatever its score. */
  markColour: [number, number, number];
  /** Of every point, 0 to 255. */
  scores: Uint8Array;
  /** 1 for a point that is chosen, 0 else. */
  marks: Uint8Array;
  /** Points, those that lie on top last. */
  order: Uint32Array;
  /** The page behind the points. */
  background: [number, number, number];
}

/** What is seen of the map. */
export interface Sight {
  /** Map → clip space. */
  scale: [number, number];
  shift: [number, number];
  /** Pixels of the canvas. */
  width: number;
  height: number;
  /** Diameter of a point, pixels of the canvas. */
  size: number;
}

export interface Painter {
  readonly name: "webgl" | "pixels";
  setLook(look: Look): void;
  paint(sight: Sight): void;
  close(): void;
}

export function makePainter(canvas: HTMLCanvasElement, points: Points): Painter {
  return WebglPainter.make(canvas, points) ?? new PixelPainter(canvas, points);
}

/** Points by rising score, marked ones last: what matters is not hidden. */
export function orderOf(scores: Uint8Array, marks: Uint8Array): Uint32Array {
  const begin = new Uint32Array(513);
  const rank = (point: number) => (marks[point] ? 256 : 0) + scores[point]!;
  for (let point = 0; point < scores.length; point++) begin[rank(point) + 1]! += 1;
  for (let value = 0; value < 512; value++) begin[value + 1]! += begin[value]!;
  const order = new Uint32Array(scores.length);
  for (let point = 0; point < scores.length; point++) order[begin[rank(point)]!++] = point;
  return order;
}
