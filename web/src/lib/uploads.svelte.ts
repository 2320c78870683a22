/** Files on their way to the server, and the sounds that the browser still has at hand to play. */
import { get, upload } from "$lib/api/client";
import { Problem } from "$lib/api/problem";
import type { Job } from "$lib/api/types";
import { jobs } from "$lib/jobs.svelte";
import { SvelteMap } from "svelte/reactivity";

const N_AT_ONCE = 3;
const LONGEST_WAIT_S = 15;
const N_OFFLINE_TRIES = 8; // about a minute

export class Upload {
  state = $state<"waiting" | "sending" | "sent" | "failed" | "cancelled">("waiting");
  /** Share of the bytes that went out. */
  share = $state(0);
  jobId = $state<string | null>(null);
  problem = $state<Problem | null>(null);
  readonly abort = new AbortController();
  /** Tell how it ended; called once. */
  end: (analysisId: string | null) => void = () => undefined;
  private readonly ending = new Promise<string | null>((resolve) => (this.end = resolve));

  constructor(
    readonly key: number,
    readonly file: File,
    readonly model: string | null,
  ) {}

  get job(): Job | undefined {
    return this.jobId === null ? undefined : jobs.known.get(this.jobId);
  }

  /** Resolve with the id of what was heard as soon as it is known; null if nothing was. */
  heard(): Promise<string | null> {
    return this.ending;
  }

  /** Why nothing was heard. */
  get failure(): Problem {
    if (this.problem) return this.problem;
    const { error, message } = this.job ?? {};
    return new Problem(error?.status ?? 0, `${this.file.name} was not heard`, error?.detail ?? message ?? "", error?.remedy);
  }

  /** Id of what was heard; null until it is there. */
  get analysisId(): string | null {
    return this.job ? analysisOf(this.job) : null;
  }
}

/** Id of the analysis that a job made; null before, and for other jobs. */
export function analysisOf(job: Job): string | null {
  return (job.kind === "analysis" && job.state === "done" && job.result?.split("/").at(-1)) || null;
}

class Uploads {
  list = $state<Upload[]>([]);
  /** Whether the server is asked to keep the sound. */
  isKept = $state(false);
  /** Analysis id → address of its sound in the browser. */
  private readonly sounds = new SvelteMap<string, string>();
  private nActive = 0;
  private nextKey = 0;

  /** Send files, a few at a time; returns their uploads, whose jobs come in later. */
  add(files: Iterable<File>, model: string | null = null): Upload[] {
    const added = Array.from(files, (file) => new Upload(this.nextKey++, file, model));
    this.list.push(...added);
    this.startNext();
    return added;
  }

  /** Address of an analysed sound in the browser; null if its file was not dropped since the page was loaded. */
  soundOf(analysisId: string): string | null {
    return this.sounds.get(analysisId) ?? null;
  }

  cancel(item: Upload): void {
    item.abort.abort();
    if (item.state === "waiting") {
      item.state = "cancelled";
      item.end(null);
    }
    if (item.jobId) void jobs.cancel(item.jobId);
  }

  retry(item: Upload): void {
    this.dismiss(item);
    this.add([item.file], item.model);
  }

  dismiss(item: Upload): void {
    this.list = this.list.filter((other) => other !== item);
  }

  private startNext(): void {
    while (this.nActive < N_AT_ONCE) {
      const next = this.list.find((item) => item.state === "waiting");
      if (!next) return;
      next.state = "sending";
      this.nActive++;
      void this.send(next).finally(() => {
        this.nActive--;
        this.startNext();
      });
    }
  }

  private async send(item: Upload): Promise<void> {
    try {
      const job = await this.sendPatiently(item);
      item.jobId = job.id;
      item.state = "sent";
      void jobs.finished(job).then((finished) => this.remember(item, finished));
    } catch (error) {
      if (error instanceof Problem) {
        item.problem = error;
        item.state = "failed";
      } else item.state = "cancelled";
      item.end(null);
    }
  }

  /** Send until the server takes it: wait where its queue is full, try again where the line broke. */
  private async sendPatiently(item: Upload): Promise<Job> {
    for (let nTries = 1; ; nTries++) {
      try {
        return await upload<Job>("analyses", item.file, {
          query: { model: item.model, keep: this.isKept || undefined },
          signal: item.abort.signal,
          onProgress: (share) => (item.share = share),
        });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const isFull = error.status === 429 || error.status === 503;
        if (!isFull && !(error.isOffline && nTries < N_OFFLINE_TRIES)) throw error;
        item.share = 0;
        await pause(Math.min(LONGEST_WAIT_S, error.retryAfter ?? 2 ** nTries / 2), item.abort.signal);
      }
    }
  }

  private remember(item: Upload, job: Job): void {
    const id = analysisOf(job);
    if (id && !this.sounds.has(id)) this.sounds.set(id, URL.createObjectURL(item.file));
    item.end(id);
  }
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    });
  });
}

export const uploads = new Uploads();

/** All finished analyses the server knows of, newest first, for a page that was just loaded. */
export async function listEarlierAnalyses(): Promise<void> {
  const { items } = await get<{ items: Job[] }>("jobs", { query: { kind: "analysis", limit: 100 } });
  for (const job of items) jobs.update(job);
}
