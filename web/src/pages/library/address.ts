/** Where one is in the library: the search, the open track and the tab, all of it in the page's address. */
import type { Filter } from "$lib/expressions";
import { href, route } from "$lib/router.svelte";

export const TABS = ["tracks", "playlists", "file-tags", "files"] as const;
export type Tab = (typeof TABS)[number];

export interface Search extends Filter {
  /** As the server takes it: a field, with `-` in front the greatest first. */
  sort: string;
  /** How listening ended; "" is any. */
  outcome: string;
}
export const DEFAULT_SORT = "-relevance";

/** The search that the address holds. */
export function searchInAddress(): Search {
  const query = route.query;
  return {
    text: query.get("q") ?? "",
    with: query.getAll("with"),
    without: query.getAll("without"),
    sort: query.get("sort") ?? DEFAULT_SORT,
    outcome: query.get("outcome") ?? "",
  };
}

/** Address of a search, with a track open or none. */
export function searchAddress(search: Partial<Search>, track: number | null = null): string {
  const query = new URLSearchParams();
  if (search.text) query.set("q", search.text);
  for (const tag of search.with ?? []) query.append("with", tag);
  for (const tag of search.without ?? []) query.append("without", tag);
  if (search.sort && search.sort !== DEFAULT_SORT) query.set("sort", search.sort);
  if (search.outcome) query.set("outcome", search.outcome);
  const path = href("library", track === null ? [] : [String(track)]);
  return query.size ? `${path}?${query}` : path;
}

/** The tab that the address names; a track's number is in the first. */
export function tabInAddress(): Tab {
  return TABS.find((tab) => tab === route.rest[0]) ?? "tracks";
}

/** The track that is open; null if none. */
export function trackInAddress(): number | null {
  const number = Number(route.rest[0]);
  return Number.isInteger(number) && number > 0 ? number : null;
}
