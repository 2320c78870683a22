/** The stretch of time that is shown; waveform, heat map and axis share it. Times in seconds. */

const SHORTEST = 2;

export class View {
  start = $state(0);
  end = $state(1);

  constructor(readonly duration: number) {
    this.end = Math.max(duration, 0.01);
  }

  get length(): number {
    return this.end - this.start;
  }

  get isZoomed(): boolean {
    return this.length < this.duration * 0.9999;
  }

  /** Place of a time, 0 at the left and 1 at the right edge. */
  place(time: number): number {
    return (time - this.start) / this.length;
  }

  timeAt(place: number): number {
    return Math.min(this.duration, Math.max(0, this.start + place * this.length));
  }

  /** Make the stretch `factor` times shorter; what is at `place` stays there. */
  zoom(factor: number, place = 0.5): void {
    const fixed = this.timeAt(place);
    const length = Math.min(this.duration, Math.max(Math.min(SHORTEST, this.duration), this.length / factor));
    this.show(fixed - place * length, fixed + (1 - place) * length);
  }

  /** Show a stretch, moved inside the song if need be. */
  show(start: number, end: number): void {
    const length = Math.min(end - start, this.duration);
    this.start = Math.min(Math.max(0, start), this.duration - length);
    this.end = this.start + length;
  }

  /** Move by seconds. */
  pan(seconds: number): void {
    this.show(this.start + seconds, this.end + seconds);
  }

  fit(): void {
    this.show(0, this.duration);
  }

  /** Move so that a time can be seen: a page further while playing, centred after a jump. */
  follow(time: number): void {
    if (!this.isZoomed || (time >= this.start && time <= this.end)) return;
    const isNext = time > this.end && time < this.end + this.length / 4;
    this.pan(time - this.start - this.length * (isNext ? 0.05 : 0.5));
  }
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

/** Round times in [start, end], not more than `atMost` steps apart. */
export function listTicks(start: number, end: number, atMost: number): number[] {
  const step = STEPS.find((seconds) => (end - start) / seconds <= atMost) ?? STEPS.at(-1)!;
  const first = Math.ceil(start / step - 1e-6);
  const ticks: number[] = [];
  for (let n = first; n * step <= end + 1e-6; n++) ticks.push(n * step);
  return ticks;
}
