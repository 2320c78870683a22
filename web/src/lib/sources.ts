/** What the player needs to know of an analysed file or a track of the library. */
import { address } from "$lib/api/client";
import type { Analysis, Track } from "$lib/api/types";
import { stem } from "$lib/format";
import type { Source } from "$lib/player.svelte";
import { href } from "$lib/router.svelte";
import { uploads } from "$lib/uploads.svelte";

/** The sound of an analysis, from the browser or the server; null if neither has it. */
export function sourceOfAnalysis(analysis: Analysis): Source | null {
  const url = uploads.soundOf(analysis.id) ?? (analysis.is_kept ? address(`analyses/${analysis.id}/audio`) : null);
  if (!url) return null;
  return {
    key: `analysis:${analysis.id}`,
    title: stem(analysis.file_name),
    subtitle: analysis.model,
    url,
    page: href("listen", [analysis.id]),
    duration: analysis.duration,
  };
}

/** The sound of a track of the library. */
export function sourceOfTrack(track: Track): Source {
  return {
    key: `track:${track.id}`,
    title: track.title || track.path.split("/").at(-1) || track.path,
    subtitle: track.artist,
    url: address(`tracks/${track.id}/audio`),
    page: href("library", [String(track.id)]),
    duration: track.duration,
  };
}
