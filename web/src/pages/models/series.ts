/** How several models are told apart in a plot: by shape, dash and depth, as colour means a category. */

export interface Series {
  shape: "circle" | "square" | "triangle" | "diamond" | "ring";
  dash: string;
  /** The baseline and every second one behind it stand back. */
  isPale: boolean;
}
const SHAPES = ["circle", "square", "triangle", "diamond", "ring"] as const;
const DASHES = ["", "", "5 3", "2 3", "8 3 2 3"];

export function seriesOf(model: number): Series {
  const place = model % SHAPES.length;
  return { shape: SHAPES[place]!, dash: DASHES[place]!, isPale: model % 2 === 0 };
}

/** Path of a mark around (0, 0). */
export function markOf({ shape }: Series): string {
  if (shape === "square") return "M-4 -4H4V4H-4Z";
  if (shape === "triangle") return "M0 -5L5 4H-5Z";
  if (shape === "diamond") return "M0 -5.5L5.5 0L0 5.5L-5.5 0Z";
  return "M-4.5 0A4.5 4.5 0 1 1 4.5 0A4.5 4.5 0 1 1 -4.5 0Z";
}
