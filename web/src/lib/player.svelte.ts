/** One player for the whole page: files dropped here, tracks of the library, and single moments of them. */
import { toasts } from "$lib/toasts.svelte";
import { Problem } from "$lib/api/problem";

/** Something that can be heard. Times are seconds. */
export interface Source {
  /** Equal keys are the same sound: `analysis:ID`, `track:ID`. */
  key: string;
  title: string;
  subtitle: string;
  /** Address of the sound: a blob of the browser, or the server's. */
  url: string;
  /** Page that shows it. */
  page: string;
  /** As the server measured it; the browser's own figure is rough for some formats. */
  duration: number | null;
}
export interface Span {
  start: number;
  end: number;
}

class Player {
  source = $state<Source | null>(null);
  time = $state(0);
  duration = $state(0);
  isPlaying = $state(false);
  /** Position in the moments being played, from 0; null if the song simply runs. */
  span = $state<number | null>(null);
  /** Key of the sound whose timeline is on the page; the bar at the bottom would only repeat it. */
  shownKey = $state<string | null>(null);
  private spans: Span[] = [];
  private readonly audio = new Audio();
  private frame = 0;

  constructor() {
    this.audio.preload = "auto";
    this.audio.addEventListener("play", () => this.onPlay());
    this.audio.addEventListener("pause", () => (this.isPlaying = false));
    this.audio.addEventListener("ended", () => this.stopSpans());
    this.audio.addEventListener("timeupdate", () => this.follow());
    this.audio.addEventListener("seeked", () => this.follow());
    this.audio.addEventListener("durationchange", () => this.takeDuration());
    this.audio.addEventListener("error", () => this.onError());
  }

  /** Make a sound ready; the same one goes on where it is. */
  load(source: Source): void {
    if (this.source?.key === source.key && this.source.url === source.url) return;
    this.stopSpans();
    this.source = source;
    this.time = 0;
    this.duration = source.duration ?? 0;
    this.audio.src = source.url;
  }

  /** Play a sound, from `at` on if given. */
  play(source?: Source, at?: number): void {
    if (source) this.load(source);
    this.stopSpans();
    if (at !== undefined) this.jump(at);
    this.resume();
  }

  /** Play moments of a sound one after the other, then stop. */
  playSpans(source: Source, spans: Span[]): void {
    const first = spans[0];
    if (!first) return;
    this.load(source);
    this.spans = spans;
    this.span = 0;
    this.jump(first.start);
    this.resume();
  }

  toggle(): void {
    if (this.isPlaying) this.pause();
    else if (this.source) this.resume();
  }

  pause(): void {
    this.audio.pause();
  }

  seek(time: number): void {
    this.stopSpans();
    this.jump(time);
  }

  /** Put everything away. */
  close(): void {
    this.audio.pause();
    this.stopSpans();
    this.source = null;
    this.audio.removeAttribute("src");
    this.audio.load();
  }

  isLoaded(key: string): boolean {
    return this.source?.key === key;
  }

  private jump(time: number): void {
    const end = this.duration || Infinity;
    this.time = Math.min(Math.max(0, time), end);
    this.audio.currentTime = this.time; // before the sound is loaded this sets where it begins
  }

  private resume(): void {
    this.audio.play().catch((error: unknown) => {
      if (error instanceof DOMException && (error.name === "AbortError" || error.name === "NotSupportedError"))
        return; // another sound took its place; what cannot be played is told by the error event
      toasts.error(error);
    });
  }

  private onPlay(): void {
    this.isPlaying = true;
    cancelAnimationFrame(this.frame);
    const step = () => {
      this.follow();
      if (this.isPlaying) this.frame = requestAnimationFrame(step);
    };
    this.frame = requestAnimationFrame(step);
  }

  private follow(): void {
    if (!this.audio.seeking && this.audio.readyState > 0) this.time = this.audio.currentTime;
    const current = this.span === null ? undefined : this.spans[this.span];
    if (!current || this.time < current.end || this.audio.seeking) return;
    const next = this.spans[(this.span ?? 0) + 1];
    if (next) {
      this.span = (this.span ?? 0) + 1;
      this.jump(next.start);
    } else {
      this.pause();
      this.stopSpans();
    }
  }

  private takeDuration(): void {
    if (!this.source?.duration && Number.isFinite(this.audio.duration)) this.duration = this.audio.duration;
  }

  private stopSpans(): void {
    this.spans = [];
    this.span = null;
  }

  private onError(): void {
    if (!this.source) return;
    const name = this.source.title;
    this.isPlaying = false;
    toasts.error(
      new Problem(
        415,
        `This browser cannot play ${name}`,
        "What Taggram heard in it stands all the same.",
        "For listening, convert the file to FLAC, MP3, Opus or AAC, or use another browser.",
      ),
    );
  }
}

export const player = new Player();
