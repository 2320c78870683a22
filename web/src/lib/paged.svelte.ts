/** A long list on the server, of which the page holds only the parts that were looked at. */
import { Problem } from "$lib/api/problem";
import { SvelteMap } from "svelte/reactivity";

const PAGE = 100; // items a request
const SETTLE_MS = 60; // a list that is flung past is not asked for every page on the way

interface Part<T> {
  total: number;
  items: T[];
}
type Load<T> = (offset: number, limit: number, signal: AbortSignal) => Promise<Part<T>>;

export class PagedList<T> {
  /** Length; null until the first page came. */
  total = $state<number | null>(null);
  problem = $state<Problem | null>(null);
  private readonly pages = new SvelteMap<number, T[]>();
  private readonly loading = new Map<number, AbortController>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly load: Load<T>) {
    void this.fetch(0);
  }

  at(index: number): T | undefined {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** Make the items from `first` to `last`, both included, come; what is no longer looked at need not. */
  show(first: number, last: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const wanted = new Set<number>();
      for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) wanted.add(page);
      for (const [page, request] of this.loading) if (page !== 0 && !wanted.has(page)) request.abort();
      for (const page of wanted) void this.fetch(page);
    }, SETTLE_MS);
  }

  /** All items from `first` to `last`, both included. */
  async slice(first: number, last: number): Promise<T[]> {
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) await this.fetch(page);
    const items: T[] = [];
    for (let index = first; index <= last; index++) {
      const item = this.at(index);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  /** Try again what failed. */
  retry(): void {
    this.problem = null;
    void this.fetch(0);
  }

  /** No answer is waited for any more. */
  close(): void {
    clearTimeout(this.timer);
    for (const request of this.loading.values()) request.abort();
  }

  private async fetch(page: number): Promise<void> {
    if (this.pages.has(page) || this.loading.has(page)) return;
    const request = new AbortController();
    this.loading.set(page, request);
    try {
      const { total, items } = await this.load(page * PAGE, PAGE, request.signal);
      this.pages.set(page, items);
      this.total = total;
      this.problem = null;
    } catch (error) {
      if (!request.signal.aborted) this.problem = Problem.of(error);
    } finally {
      this.loading.delete(page);
    }
  }
}
