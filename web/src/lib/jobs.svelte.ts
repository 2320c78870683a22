/** Long work on the server, followed by server-sent events that come again after a lost connection. */
import { address, get, remove } from "$lib/api/client";
import type { Job } from "$lib/api/types";
import { toasts } from "$lib/toasts.svelte";
import { SvelteMap } from "svelte/reactivity";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

export function isFinished(job: Job): boolean {
  return job.state === "done" || job.state === "failed" || job.state === "cancelled";
}

class Jobs {
  /** All jobs that the page knows, by id. */
  readonly known = new SvelteMap<string, Job>();
  /** Whether the events come in; false while the connection is being made anew. */
  isConnected = $state(true);
  private stream: EventSource | null = null;
  private waitMs = FIRST_WAIT_MS;
  private readonly watchers = new Map<string, ((job: Job) => void)[]>();

  /** Begin to follow; called once. */
  start(): void {
    this.connect();
    addEventListener("online", () => this.reconnectNow());
  }

  /** Take in what the server said about a job. */
  update(job: Job): void {
    const before = this.known.get(job.id);
    if (before && isFinished(before) && !isFinished(job)) return; // an event that was overtaken
    this.known.set(job.id, job);
    if (!isFinished(job)) return;
    for (const resolve of this.watchers.get(job.id) ?? []) resolve(job);
    this.watchers.delete(job.id);
  }

  /** Resolve with the finished job, whatever its state. */
  finished(job: Job): Promise<Job> {
    this.update(job);
    const current = this.known.get(job.id) ?? job;
    if (isFinished(current)) return Promise.resolve(current);
    return new Promise((resolve) =>
      this.watchers.set(job.id, [...(this.watchers.get(job.id) ?? []), resolve]),
    );
  }

  async cancel(id: string): Promise<void> {
    try {
      await remove(`jobs/${id}`);
      this.update(await get<Job>(`jobs/${id}`));
    } catch (error) {
      toasts.error(error);
    }
  }

  /** Jobs of a kind, newest first. */
  ofKind(...kinds: Job["kind"][]): Job[] {
    return [...this.known.values()]
      .filter((job) => kinds.includes(job.kind))
      .sort((a, b) => b.created_at.localeCompare(a.created_at));
  }

  private connect(): void {
    this.stream = new EventSource(address("jobs/events"));
    this.stream.addEventListener("job", (event) => this.update(JSON.parse(event.data) as Job));
    this.stream.onopen = () => {
      this.isConnected = true;
      this.waitMs = FIRST_WAIT_MS;
      void this.refresh();
    };
    this.stream.onerror = () => {
      this.isConnected = false;
      // The browser itself tries again after a broken line, but gives up for good on an error status.
      if (this.stream?.readyState !== EventSource.CLOSED) return;
      setTimeout(() => this.reconnectNow(), this.waitMs);
      this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    };
  }

  private reconnectNow(): void {
    if (this.stream && this.stream.readyState === EventSource.OPEN) return;
    this.stream?.close();
    this.connect();
  }

  /** What happened while nobody listened. */
  private async refresh(): Promise<void> {
    try {
      const { items } = await get<{ items: Job[] }>("jobs", { query: { limit: 100 } });
      for (const job of items) this.update(job);
      const listed = new Set(items.map((job) => job.id));
      const unfinished = [...this.known.values()].filter((job) => !isFinished(job) && !listed.has(job.id));
      await Promise.all(unfinished.map(async (job) => this.update(await get<Job>(`jobs/${job.id}`))));
    } catch {
      // The next event or the next connection brings it.
    }
  }
}

export const jobs = new Jobs();
