/** Searches that were kept under a name, in this browser. */
import type { Search } from "./address";

const KEY = "taggram.searches";

export interface SavedSearch {
  name: string;
  search: Search;
}

class SavedSearches {
  list = $state<SavedSearch[]>(read());

  /** Keep a search; one of the same name is replaced. */
  save(name: string, search: Search): void {
    this.list = [...this.list.filter((saved) => saved.name !== name), { name, search }];
    this.write();
  }
  remove(name: string): void {
    this.list = this.list.filter((saved) => saved.name !== name);
    this.write();
  }

  private write(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.list));
    } catch {
      // Storage is forbidden or full: they hold until the page is left.
    }
  }
}

function read(): SavedSearch[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter(isSaved) : [];
  } catch {
    return [];
  }
}

function isSaved(value: unknown): value is SavedSearch {
  const { name, search } = (value ?? {}) as Partial<SavedSearch>;
  return typeof name === "string" && typeof search?.text === "string" && [search.with, search.without].every(Array.isArray);
}

export const savedSearches = new SavedSearches();
