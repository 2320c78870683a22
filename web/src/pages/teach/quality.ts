/** What a taught tag is worth, in words that promise nothing. */
import type { OwnTag } from "$lib/api/types";

/** In a few words, for a list. */
export function worth(tag: OwnTag): string {
  if (tag.missing) return "needs more examples";
  const quality = tag.quality;
  if (!quality) return "not measured";
  if (quality.warnings.length) return "do not rely on it yet";
  return quality.roc_auc === null ? "not measured" : `right ${Math.round(100 * quality.roc_auc)} of 100 times`;
}
