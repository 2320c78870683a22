/** Colours of the map, from the page's own. */
import type { Category } from "$lib/api/types";

type Colour = [number, number, number];
const FAINT = 0.38; // opacity of a point without the tag
const FULL = 0.95;
const EXPONENT = 2 / 3; // as in the taggram: weak scores can be told apart

/** A colour of the page, as bytes. */
export function readColour(element: Element, name: string): Colour {
  const written = getComputedStyle(element).getPropertyValue(name).trim();
  const hex = written.length === 4 ? written.replace(/[^#]/g, "$&$&") : written; // the build shortens #ffffff
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as Colour;
}

/** By score 0 to 255: red, green, blue and opacity; from grey to the colour of the category. */
export function colourRamp(element: Element, category: Category): Uint8ClampedArray {
  const grey = readColour(element, "--muted");
  const full = readColour(element, `--${category}`);
  const colours = new Uint8ClampedArray(4 * 256);
  for (let score = 0; score < 256; score++) {
    const share = (score / 255) ** EXPONENT;
    for (let channel = 0; channel < 3; channel++)
      colours[4 * score + channel] = grey[channel]! + share * (full[channel]! - grey[channel]!);
    colours[4 * score + 3] = 255 * (FAINT + share * (FULL - FAINT));
  }
  return colours;
}
