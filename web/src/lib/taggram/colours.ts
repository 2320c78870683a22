/** Colours of scores, from src/taggram/tags/colours.py by way of the generated file. */
import scoreMaps from "$generated/score_maps.json";
import type { Category } from "$lib/api/types";
import type { ThemeName } from "$lib/theme.svelte";

const N_COLOURS = 256;
const tables = new Map<string, Uint32Array>();

/** Colours of the mapped values 0 to 1 as 256 pixels of `ImageData` (little-endian RGBA). */
export function colourTable(theme: ThemeName, category: Category): Uint32Array {
  const key = `${theme} ${category}`;
  let table = tables.get(key);
  if (!table) tables.set(key, (table = interpolate(scoreMaps[theme][category])));
  return table;
}

function interpolate(stops: readonly string[]): Uint32Array {
  const colours = stops.map((hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  return Uint32Array.from({ length: N_COLOURS }, (_, index) => {
    const place = (index / (N_COLOURS - 1)) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    const [red, green, blue] = colours[low]!.map((from, channel) =>
      Math.round(from + (place - low) * (colours[low + 1]![channel]! - from)),
    );
    return ((255 << 24) | (blue! << 16) | (green! << 8) | red!) >>> 0;
  });
}
