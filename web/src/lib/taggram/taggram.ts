/**
 * Scores over time, and which of them to show.
 *
 * The same choices as the picture (src/taggram/tags/picture.py): scores are linear between the centres
 * of chunks and constant beyond the first and the last one, a stretch of time shows their exact mean, the
 * tags with the largest root mean square are shown, and of one category at most a third of the rows.
 *
 * Conventions: times in seconds; scores in [0, 1], stored as bytes, `tag * nChunks + chunk`.
 */
import { decodeBase64 } from "$lib/api/client";
import { CATEGORIES, type ModelTag, type TaggramDocument } from "$lib/api/types";

const TOPS = [0.1, 0.2, 0.5, 1];
const EXPONENT = 2 / 3;

/** Where a score lies between weakest (0) and strongest colour (1); `top` is the score of the strongest. */
export function shade(score: number, top: number): number {
  return Math.min(1, Math.max(0, score / top)) ** EXPONENT;
}

export class Taggram {
  readonly nChunks: number;
  readonly centres: Float64Array;
  private readonly integrals = new Map<number, Float64Array>();

  private constructor(
    readonly tags: readonly ModelTag[],
    readonly duration: number,
    readonly chunkDuration: number,
    readonly chunkTimes: readonly number[],
    private readonly scores: Uint8Array,
  ) {
    this.nChunks = chunkTimes.length;
    this.centres = Float64Array.from(chunkTimes, (start) => start + chunkDuration / 2);
  }

  static parse(document: TaggramDocument): Taggram {
    const { tags, duration, chunk_duration, chunk_times } = document;
    const rows = decodeBase64(document.scores);
    if (rows.length !== tags.length * chunk_times.length)
      throw new Error(`a taggram of ${tags.length} tags and ${chunk_times.length} chunks has ${rows.length} scores`);
    const columns = new Uint8Array(rows.length);
    for (let chunk = 0; chunk < chunk_times.length; chunk++)
      for (let tag = 0; tag < tags.length; tag++)
        columns[tag * chunk_times.length + chunk] = rows[chunk * tags.length + tag]!;
    return new Taggram(tags, duration, chunk_duration, chunk_times, columns);
  }

  /** Seconds from one chunk to the next, as a step for the keyboard. */
  get step(): number {
    return this.nChunks > 1 ? this.chunkTimes[1]! - this.chunkTimes[0]! : this.chunkDuration;
  }

  /** Score of a chunk. */
  private at(tag: number, chunk: number): number {
    return this.scores[tag * this.nChunks + chunk]! / 255;
  }

  /** Mean score of the whole. */
  mean(tag: number): number {
    let sum = 0;
    for (let chunk = 0; chunk < this.nChunks; chunk++) sum += this.at(tag, chunk);
    return sum / this.nChunks;
  }

  /** Score at a moment. */
  scoreAt(tag: number, time: number): number {
    const last = this.nChunks - 1;
    const next = this.firstCentreBehind(time);
    if (next === 0) return this.at(tag, 0);
    if (next > last) return this.at(tag, last);
    const share = (time - this.centres[next - 1]!) / (this.centres[next]! - this.centres[next - 1]!);
    return (1 - share) * this.at(tag, next - 1) + share * this.at(tag, next);
  }

  /** Mean scores of `n` equal stretches of [start, end]; NaN in those that no chunk touches. */
  columns(tag: number, start: number, end: number, n: number): Float32Array {
    const found = new Float32Array(n);
    const width = (end - start) / n;
    let before = this.integral(tag, start);
    for (let column = 0; column < n; column++) {
      const from = start + column * width;
      const behind = this.integral(tag, from + width);
      found[column] = this.isTouched(from, from + width) ? (behind - before) / width : NaN;
      before = behind;
    }
    return found;
  }

  /** Tags to show, by category and within one by falling score of the whole. */
  chooseRows(maxRows: number, clipScores: readonly number[]): number[] {
    const all = this.tags.map((_, tag) => tag);
    const strength = all.map((tag) => this.rootMeanSquare(tag));
    const strongestFirst = all.toSorted((a, b) => strength[b]! - strength[a]!);
    const share = Math.ceil(maxRows / 3);
    const nSeen = new Map<string, number>();
    const within: number[] = [];
    const beyond: number[] = [];
    for (const tag of strongestFirst) {
      const { category } = this.tags[tag]!;
      nSeen.set(category, (nSeen.get(category) ?? 0) + 1);
      (nSeen.get(category)! > share ? beyond : within).push(tag);
    }
    const place = (tag: number) => CATEGORIES.indexOf(this.tags[tag]!.category);
    return [...within, ...beyond]
      .slice(0, maxRows)
      .sort((a, b) => place(a) - place(b) || clipScores[b]! - clipScores[a]! || a - b);
  }

  /** Score of the strongest colour: the first round one that no score of these tags exceeds. */
  top(rows: readonly number[]): number {
    let largest = 0;
    for (const tag of rows)
      for (let chunk = 0; chunk < this.nChunks; chunk++) largest = Math.max(largest, this.at(tag, chunk));
    return TOPS.find((top) => largest <= top) ?? 1;
  }

  private rootMeanSquare(tag: number): number {
    let sum = 0;
    for (let chunk = 0; chunk < this.nChunks; chunk++) sum += this.at(tag, chunk) ** 2;
    return Math.sqrt(sum / this.nChunks);
  }

  /** Index of the first chunk whose centre lies behind `time`; `nChunks` if there is none. */
  private firstCentreBehind(time: number): number {
    let low = 0;
    let high = this.nChunks;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.centres[middle]! > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Area under a tag's line from the first centre to `time`. */
  private integral(tag: number, time: number): number {
    const areas = this.areas(tag);
    const next = this.firstCentreBehind(time);
    if (next === 0) return (time - this.centres[0]!) * this.at(tag, 0);
    const before = next - 1;
    const passed = time - this.centres[before]!;
    return areas[before]! + (passed * (this.at(tag, before) + this.scoreAt(tag, time))) / 2;
  }

  /** Areas from the first centre to every centre. */
  private areas(tag: number): Float64Array {
    let areas = this.integrals.get(tag);
    if (areas) return areas;
    areas = new Float64Array(this.nChunks);
    for (let chunk = 1; chunk < this.nChunks; chunk++) {
      const width = this.centres[chunk]! - this.centres[chunk - 1]!;
      areas[chunk] = areas[chunk - 1]! + (width * (this.at(tag, chunk - 1) + this.at(tag, chunk))) / 2;
    }
    this.integrals.set(tag, areas);
    return areas;
  }

  /** Whether a chunk lies in part of [from, to). */
  private isTouched(from: number, to: number): boolean {
    let low = 0;
    let high = this.nChunks;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.chunkTimes[middle]! >= to) high = middle;
      else low = middle + 1;
    }
    return low > 0 && this.chunkTimes[low - 1]! + this.chunkDuration > from;
  }
}
