/** Points as small discs, written pixel by pixel by the processor, for machines without a graphics card. */
import type { Look, Painter, Sight } from "./painter";
import type { Points } from "./points";

const MARK_SCALE = 1.4; // of the diameter of a marked point
const LEAST_SOFT = 5; // pixels; the edge of a smaller disc is not seen
const HALF = 0x80ffffff; // keeps the colour, and half of the opacity

export class PixelPainter implements Painter {
  readonly name = "pixels";
  private readonly context: CanvasRenderingContext2D;
  private image: ImageData | null = null;
  /** Coordinates and pixels (little-endian RGBA) in the order of drawing: memory is gone through once, in order. */
  private readonly x: Float32Array;
  private readonly y: Float32Array;
  private readonly pixels: Uint32Array;
  /** Points before the first that is marked. */
  private nPlain = 0;
  private hasLook = false;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly points: Points,
  ) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser gives no canvas to draw on");
    this.context = context;
    this.x = new Float32Array(points.n);
    this.y = new Float32Array(points.n);
    this.pixels = new Uint32Array(points.n);
  }

  setLook({ colours, markColour, scores, marks, order, background }: Look): void {
    const ofScore = new Uint32Array(256); // mixed with the page
    for (let score = 0; score < 256; score++) {
      const [red, green, blue, alpha] = colours.subarray(4 * score, 4 * score + 4);
      const mix = (channel: number, behind: number) => Math.round(behind + ((channel - behind) * alpha!) / 255);
      ofScore[score] = pixelOf(mix(red!, background[0]), mix(green!, background[1]), mix(blue!, background[2]));
    }
    const ofMark = pixelOf(...markColour);
    this.nPlain = 0;
    order.forEach((point, place) => {
      this.x[place] = this.points.x[point]!;
      this.y[place] = this.points.y[point]!;
      this.pixels[place] = marks[point] ? ofMark : ofScore[scores[point]!]!;
      if (!marks[point]) this.nPlain++; // marked ones come last
    });
    this.hasLook = true;
  }

  paint(sight: Sight): void {
    const { width, height, size } = sight;
    if (!this.hasLook) return;
    if (this.image?.width !== width || this.image.height !== height)
      this.image = this.context.createImageData(width, height);
    const target = new Uint32Array(this.image.data.buffer);
    target.fill(0);
    this.draw(target, sight, disc(size, width), 0, this.nPlain);
    this.draw(target, sight, disc(size * MARK_SCALE, width), this.nPlain, this.points.n);
    this.context.putImageData(this.image, 0, 0);
  }

  private draw(
    target: Uint32Array,
    { scale, shift, width, height }: Sight,
    { reach, offsets, edge }: Disc,
    begin: number,
    end: number,
  ): void {
    const { x, y, pixels } = this;
    const [scaleX, scaleY] = [(scale[0] * width) / 2, (-scale[1] * height) / 2];
    const [shiftX, shiftY] = [((shift[0] + 1) * width) / 2, ((1 - shift[1]) * height) / 2];
    for (let place = begin; place < end; place++) {
      const column = Math.floor(x[place]! * scaleX + shiftX);
      const row = Math.floor(y[place]! * scaleY + shiftY);
      if (column < reach || row < reach || column >= width - reach || row >= height - reach) continue;
      const pixel = pixels[place]!;
      const centre = row * width + column;
      for (let i = 0; i < offsets.length; i++) target[centre + offsets[i]!] = pixel;
      for (let i = 0; i < edge.length; i++) target[centre + edge[i]!] ||= (pixel & HALF) >>> 0;
    }
  }

  close(): void {
    this.image = null;
  }
}

function pixelOf(red: number, green: number, blue: number): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

interface Disc {
  /** Pixels from the centre to the farthest. */
  reach: number;
  offsets: Int32Array;
  edge: Int32Array;
}

/** Pixels of a disc and of its edge, as distances from its centre in an image of this width. */
function disc(size: number, width: number): Disc {
  const radius = size / 2;
  const reach = Math.ceil(radius);
  const offsets: number[] = [];
  const edge: number[] = [];
  for (let row = -reach; row <= reach; row++)
    for (let column = -reach; column <= reach; column++) {
      const distance = Math.hypot(row, column);
      if (distance <= radius) offsets.push(row * width + column);
      else if (size >= LEAST_SOFT && distance <= radius + 0.6) edge.push(row * width + column);
    }
  return { reach, offsets: Int32Array.from(offsets), edge: Int32Array.from(edge) };
}
