/** Tracks of the library, for the player and for the eye. */
import type { Category, Tag, Track } from "$lib/api/types";
import { stem } from "$lib/format";
import { player, type Span } from "$lib/player.svelte";
import { sourceOfTrack } from "$lib/sources";

/** What a track is called: its title, or else its file. */
export function titleOf(track: Track): string {
  return track.title || stem(track.path.split("/").at(-1) ?? track.path);
}

/** Title and artist in one line. */
export function nameOf(track: Track): string {
  return track.artist ? `${titleOf(track)} – ${track.artist}` : titleOf(track);
}

/** Whether the track's sound is the one in the player, and runs. */
export function isPlaying(track: Track): boolean {
  return player.isPlaying && player.isLoaded(sourceOfTrack(track).key);
}

/** Play a track, or pause it if it is playing. */
export function togglePlay(track: Track): void {
  if (isPlaying(track)) player.pause();
  else player.play(sourceOfTrack(track));
}

/** Play moments of a track, one after the other. */
export function playMoments(track: Track, moments: Span[]): void {
  player.playSpans(sourceOfTrack(track), moments);
}

/** A tag that is known by its name alone, such as one of a query. */
export function tagNamed(name: string, known: readonly Tag[], category: Category = "other"): Tag {
  return known.find((tag) => tag.name === name) ?? { name, display_name: name, category };
}
