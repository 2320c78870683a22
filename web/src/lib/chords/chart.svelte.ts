/**
 * The chords of one sound, as the chart that was asked for, and what it is asked with.
 *
 * The server hears, spells, moves and simplifies; here a chart is only fetched and looked at. What somebody
 * likes to read (which chords, how simple) is kept for the next song; a key or a capo belongs to one song.
 */
import { address, get } from "$lib/api/client";
import { Problem } from "$lib/api/problem";
import type { Chord, Chords, Job } from "$lib/api/types";
import { isFinished, jobs } from "$lib/jobs.svelte";
import { toasts } from "$lib/toasts.svelte";

export type Vocabulary = Chords["vocabulary"];
export type ChordForm = "table" | "lab" | "jams" | "json" | "midi";

const KEY = "taggram.chords";

/** What is kept for the next song. */
class Reading {
  vocabulary = $state<Vocabulary>("full");
  isSimple = $state(false);
  isOpen = $state(false);

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Record<string, unknown>>;
      if (kept.vocabulary === "majmin" || kept.vocabulary === "sevenths") this.vocabulary = kept.vocabulary;
      this.isSimple = kept.isSimple === true;
      this.isOpen = kept.isOpen === true;
    } catch {
      // Where nothing can be kept, every song begins with what is usual.
    }
  }

  keep(): void {
    try {
      const { vocabulary, isSimple, isOpen } = this;
      localStorage.setItem(KEY, JSON.stringify({ vocabulary, isSimple, isOpen }));
    } catch {
      // as above
    }
  }
}

export const reading = new Reading();

export class ChordChart {
  document = $state.raw<Chords | null>(null);
  /** Why there is no chart. */
  problem = $state.raw<Problem | null>(null);
  /** Semitones, and the fret of the capo. */
  transpose = $state(0);
  capo = $state(0);
  private jobId = $state<string | null>(null);
  private nAsked = 0;

  /** `analyses/ID` or `tracks/ID`. */
  constructor(readonly resource: string) {}

  get chords(): readonly Chord[] {
    return this.document?.chords ?? [];
  }

  /** How far the server is with listening, 0 to 1; null if it is not. */
  get progress(): number | null {
    const job = this.jobId === null ? undefined : jobs.known.get(this.jobId);
    return this.jobId === null ? null : (job?.progress ?? 0);
  }

  /** Fetch the chart that is wanted now, after listening if need be; the last one stands until then. */
  async load(): Promise<void> {
    const number = ++this.nAsked;
    const isLate = () => number !== this.nAsked;
    this.problem = null;
    try {
      const answer = await get<Chords | Job>(`${this.resource}/chords`, { query: this.query });
      if (isLate()) return;
      if (!("state" in answer)) {
        this.document = answer;
        return;
      }
      this.jobId = answer.id;
      const job = isFinished(answer) ? answer : await jobs.finished(answer);
      this.jobId = null;
      if (isLate()) return;
      if (job.state === "done") return await this.load();
      const { title = "No chords", detail = job.message, remedy = "" } = job.error ?? {};
      this.problem = new Problem(job.error?.status ?? 0, title, detail, remedy);
    } catch (error) {
      if (isLate()) return;
      if (this.document) toasts.error(error);
      else this.problem = Problem.of(error);
    }
  }

  /** Address of the chart as a file. */
  fileAddress(format: ChordForm): string {
    return address(`${this.resource}/chords`, { ...this.query, format });
  }

  /** Index of the chord that sounds at a time; −1 without a chart. */
  indexAt(time: number): number {
    const { chords } = this;
    let low = 0;
    let high = chords.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (chords[middle]!.start > time) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }

  private get query() {
    return {
      vocabulary: reading.vocabulary,
      simplify: reading.isSimple,
      transpose: this.transpose,
      capo: this.capo,
    };
  }
}

/** What is written: a question mark where the model is not sure. */
export function nameOf(chord: Chord): string {
  return chord.is_doubtful ? `${chord.name}?` : chord.name;
}

/** Its colour, as in the picture; none where no chord sounds. */
export function colourOf(chord: Chord): string {
  return chord.root < 0 ? "transparent" : `var(--chord-${chord.root}-${chord.is_minor ? "minor" : "major"})`;
}
