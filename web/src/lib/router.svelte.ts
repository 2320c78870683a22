/** Which page is shown: `#/page/rest/of/path?query`. The part behind # never reaches the server. */

export const PAGES = ["listen", "library", "map", "teach", "models"] as const;
export type PageName = (typeof PAGES)[number];

class Route {
  private hash = $state(location.hash);
  private readonly address = $derived(parse(this.hash));

  constructor() {
    addEventListener("hashchange", () => (this.hash = location.hash));
  }

  get page(): PageName {
    return this.address.page;
  }

  /** Path segments behind the page's name. */
  get rest(): string[] {
    return this.address.rest;
  }

  get query(): URLSearchParams {
    return this.address.query;
  }

  /** Go there; `replace` leaves no entry in the history. */
  go(address: string, { replace = false } = {}): void {
    if (address === this.hash) return;
    if (!replace) {
      location.hash = address;
      return;
    }
    history.replaceState(null, "", address);
    this.hash = address;
  }
}

/** Address of a page, for `href` and `route.go`. */
export function href(page: PageName, rest: string[] = [], query: Record<string, string> = {}): string {
  const path = [page, ...rest.map(encodeURIComponent)].join("/");
  const search = new URLSearchParams(query).toString();
  return `#/${path}${search ? `?${search}` : ""}`;
}

function parse(hash: string): { page: PageName; rest: string[]; query: URLSearchParams } {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [first = "", ...rest] = path.split("/").filter(Boolean).map(decode);
  const page = PAGES.find((name) => name === first) ?? "listen";
  return { page, rest, query: new URLSearchParams(search) };
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // typed by hand
  }
}

export const route = new Route();
