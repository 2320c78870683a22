/** Widths of elements, for canvases that are drawn pixel by pixel. */
import type { Action } from "svelte/action";

/** Call with the element's width in CSS pixels, now and whenever it changes. */
export const width: Action<HTMLElement, (width: number) => void> = (element, notify) => {
  const observer = new ResizeObserver(([entry]) => entry && notify(entry.contentRect.width));
  observer.observe(element);
  return { destroy: () => observer.disconnect() };
};

/** Pixels of the screen in one CSS pixel, at most 2: more shows nothing and costs time. */
export function pixelRatio(): number {
  return Math.min(2, devicePixelRatio || 1);
}
