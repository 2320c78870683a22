/** Tracks that were ticked, to make a playlist of, write file tags for or teach with. */
import type { Track } from "$lib/api/types";
import { SvelteMap } from "svelte/reactivity";

class Chosen {
  /** By id, in the order of choosing; null where only the number is known. */
  private readonly tracks = new SvelteMap<number, Track | null>();

  get size(): number {
    return this.tracks.size;
  }
  get ids(): number[] {
    return [...this.tracks.keys()];
  }
  /** Those of which more than the number is known. */
  get known(): Track[] {
    return [...this.tracks.values()].filter((track) => track !== null);
  }

  has(id: number): boolean {
    return this.tracks.has(id);
  }
  toggle(track: Track): void {
    if (!this.tracks.delete(track.id)) this.tracks.set(track.id, track);
  }
  add(tracks: readonly Track[]): void {
    for (const track of tracks) this.tracks.set(track.id, track);
  }
  drop(id: number): void {
    this.tracks.delete(id);
  }
  /** Take these and no other. */
  replace(ids: Iterable<number>): void {
    this.tracks.clear();
    for (const id of ids) this.tracks.set(id, null);
  }
  clear(): void {
    this.tracks.clear();
  }
}

export const chosen = new Chosen();
