/** Which part of the map is seen. Map coordinates in [0, 1], y upwards; pixels of CSS, y downwards. */
import type { Place } from "./points";

const NEAREST = 200; // how many times larger than the whole
const EDGE = 0.06; // of the shorter side, left empty around the whole

export class Camera {
  width = $state(1);
  height = $state(1);
  private centre = $state<Place>({ x: 0.5, y: 0.5 });
  /** 1 shows everything. */
  zoom = $state(1);

  /** CSS pixels of the whole map's side. */
  get side(): number {
    return Math.min(this.width, this.height) * (1 - 2 * EDGE) * this.zoom;
  }

  toScreen({ x, y }: Place): Place {
    return {
      x: this.width / 2 + (x - this.centre.x) * this.side,
      y: this.height / 2 - (y - this.centre.y) * this.side,
    };
  }

  toMap({ x, y }: Place): Place {
    return {
      x: this.centre.x + (x - this.width / 2) / this.side,
      y: this.centre.y - (y - this.height / 2) / this.side,
    };
  }

  /** Map coordinates → clip space [−1, 1]: first a factor, then a shift. */
  get transform(): { scale: [number, number]; shift: [number, number] } {
    const scale: [number, number] = [(2 * this.side) / this.width, (2 * this.side) / this.height];
    return { scale, shift: [-this.centre.x * scale[0], -this.centre.y * scale[1]] };
  }

  pan(dx: number, dy: number): void {
    this.look({ x: this.centre.x - dx / this.side, y: this.centre.y + dy / this.side });
  }

  /** Zoom by a factor; what is at a place of the screen stays there. */
  zoomAt(factor: number, at: Place = { x: this.width / 2, y: this.height / 2 }): void {
    const before = this.toMap(at);
    this.zoom = Math.min(NEAREST, Math.max(1, this.zoom * factor));
    const after = this.toMap(at);
    this.look({ x: this.centre.x + before.x - after.x, y: this.centre.y + before.y - after.y });
  }

  fit(): void {
    this.zoom = 1;
    this.centre = { x: 0.5, y: 0.5 };
  }

  look(centre: Place): void {
    const clamp = (value: number) => Math.min(1.1, Math.max(-0.1, value));
    this.centre = { x: clamp(centre.x), y: clamp(centre.y) };
  }

  /** Move as little as needed for a place to lie well inside. */
  reveal(place: Place): void {
    const margin = Math.min(80, this.width / 4, this.height / 4);
    const { x, y } = this.toScreen(place);
    const over = (value: number, size: number) =>
      value < margin ? margin - value : value > size - margin ? size - margin - value : 0;
    this.pan(over(x, this.width), over(y, this.height));
  }
}
