/** Searches that were kept under a name, on the server: phone and desktop see the same. */
import { get, put, remove } from "$lib/api/client";
import type { SavedSearch as Kept } from "$lib/api/types";
import { toasts } from "$lib/toasts.svelte";
import { DEFAULT_SORT, type Search } from "./address";

/** Where they were kept before the server did: they move there once. */
const OLD_KEY = "taggram.searches";

export interface SavedSearch {
  name: string;
  search: Search;
}

class SavedSearches {
  list = $state<SavedSearch[]>([]);

  async load(): Promise<void> {
    try {
      await this.moveOld();
      this.list = (await get<Kept[]>("saved-searches")).map(parse);
    } catch (error) {
      toasts.error(error);
    }
  }

  /** Keep a search; one of the same name is replaced. */
  async save(name: string, search: Search): Promise<void> {
    try {
      await put("saved-searches", write(name, search));
      const isNew = !this.list.some((saved) => saved.name === name);
      this.list = isNew
        ? [...this.list, { name, search }]
        : this.list.map((saved) => (saved.name === name ? { name, search } : saved));
    } catch (error) {
      toasts.error(error);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await remove("saved-searches", { query: { name } });
      this.list = this.list.filter((saved) => saved.name !== name);
    } catch (error) {
      toasts.error(error);
    }
  }

  private async moveOld(): Promise<void> {
    const old = readOld();
    if (!old.length) return;
    for (const { name, search } of old) await put("saved-searches", write(name, search));
    localStorage.removeItem(OLD_KEY);
  }
}

function write(name: string, search: Search): Kept {
  const { text, with: with_tags, without: without_tags, sort, outcome } = search;
  return { name, text, with_tags, without_tags, sort, outcome };
}

function parse({ name, text, with_tags, without_tags, sort, outcome }: Kept): SavedSearch {
  const search = { text: text ?? "", with: with_tags ?? [], without: without_tags ?? [] };
  return { name, search: { ...search, sort: sort ?? DEFAULT_SORT, outcome: outcome ?? "" } };
}

function readOld(): SavedSearch[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(OLD_KEY) ?? "[]");
    return Array.isArray(found) ? found.filter(isSaved) : [];
  } catch {
    return []; // storage is forbidden, or holds something else
  }
}

function isSaved(value: unknown): value is SavedSearch {
  const { name, search } = (value ?? {}) as Partial<SavedSearch>;
  return typeof name === "string" && typeof search?.text === "string" && [search.with, search.without].every(Array.isArray);
}

export const savedSearches = new SavedSearches();
