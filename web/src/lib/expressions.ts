/** Tag expressions, as the page puts them together; what they mean is the server's business. */

/** What filters tracks: an expression that was typed, and tags that were clicked. */
export interface Filter {
  text: string;
  /** Tags that must be there. */
  with: string[];
  /** Tags that must not be there. */
  without: string[];
}

/** A name or text as it may stand anywhere in an expression. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** One expression for all of a filter, and where the typed text begins in it (characters). */
export function joined(filter: Filter): { query: string; offset: number } {
  const tags = [...filter.with.map(quoted), ...filter.without.map((tag) => `not ${quoted(tag)}`)];
  const text = filter.text.trim();
  if (!tags.length) return { query: text, offset: 0 };
  if (!text) return { query: tags.join(" and "), offset: 0 };
  return { query: `(${text}) and ${tags.join(" and ")}`, offset: 1 };
}

/** A text cut into what is right, wrong and right again; positions count characters as the server does. */
export function cutAt(text: string, place: { start: number; end: number }): [string, string, string] {
  const letters = Array.from(text); // the server counts code points, a string of JavaScript counts halves of some
  const start = Math.min(Math.max(0, place.start), letters.length);
  const end = Math.min(Math.max(start, place.end), letters.length);
  return [letters.slice(0, start).join(""), letters.slice(start, end).join(""), letters.slice(end).join("")];
}

/** Looks for the typed words where people expect them, if they are no expression. */
export function asWords(text: string): string {
  const words = quoted(text.trim());
  return `title: ${words} or artist: ${words} or album: ${words}`;
}
