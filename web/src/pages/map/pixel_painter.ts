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
  private look: Look | null = null;
  /** By score, mixed with the page, as pixels (little-endian RGBA). */
  private readonly pixels = new Uint32Array(256);
  private markPixel = 0;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly points: Points,
  ) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser gives no canvas to draw on");
    this.context = context;
  }

  setLook(look: Look): void {
    this.look = look;
    for (let score = 0; score < 256; score++) {
      const [red, green, blue, alpha] = look.colours.subarray(4 * score, 4 * score + 4);
      const mix = (channel: number, behind: number) => Math.round(behind + ((channel - behind) * alpha!) / 255);
      const [behindRed, behindGreen, behindBlue] = look.background;
      this.pixels[score] = pixelOf(mix(red!, behindRed), mix(green!, behindGreen), mix(blue!, behindBlue));
    }
    this.markPixel = pixelOf(...look.markColour);
  }

  paint({ scale, shift, width, height, size }: Sight): void {
    if (!this.look) return;
    if (this.image?.width !== width || this.image.height !== height)
      this.image = this.context.createImageData(width, height);
    const target = new Uint32Array(this.image.data.buffer);
    target.fill(0);
    const small = disc(size, width);
    const large = disc(size * MARK_SCALE, width);
    const { x, y } = this.points;
    const { order, scores, marks } = this.look;
    const [scaleX, scaleY] = [(scale[0] * width) / 2, (-scale[1] * height) / 2];
    const [shiftX, shiftY] = [((shift[0] + 1) * width) / 2, ((1 - shift[1]) * height) / 2];
    for (let place = 0; place < order.length; place++) {
      const point = order[place]!;
      const shape = marks[point] ? large : small;
      const column = Math.floor(x[point]! * scaleX + shiftX);
      const row = Math.floor(y[point]! * scaleY + shiftY);
      const { reach, offsets, edge } = shape;
      if (column < reach || row < reach || column >= width - reach || row >= height - reach) continue;
      const pixel = marks[point] ? this.markPixel : this.pixels[scores[point]!]!;
      const centre = row * width + column;
      for (let i = 0; i < offsets.length; i++) target[centre + offsets[i]!] = pixel;
      for (let i = 0; i < edge.length; i++) target[centre + edge[i]!] ||= (pixel & HALF) >>> 0;
    }
    this.context.putImageData(this.image, 0, 0);
  }

  close(): void {
    this.image = null;
  }
}

function pixelOf(red: number, green: number, blue: number): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Pixels of a disc and of its edge, as distances from its centre in an image of this width. */
function disc(size: number, width: number): { reach: number; offsets: Int32Array; edge: Int32Array } {
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
