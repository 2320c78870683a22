/** The tags that tracks of this library have, own ones included; read once, and again when asked. */
import { get } from "$lib/api/client";
import { CATEGORIES, type Facets, type Tag } from "$lib/api/types";
import { toasts } from "$lib/toasts.svelte";

export interface KnownTag extends Tag {
  /** Tracks that have it. */
  count: number;
  isOwn: boolean;
}

class Vocabulary {
  /** By category, the commonest first; null until they came. */
  tags = $state.raw<KnownTag[] | null>(null);
  private isLoading = false;

  /** Read them if that was not done. */
  need(): void {
    if (!this.tags && !this.isLoading) void this.renew();
  }

  async renew(): Promise<void> {
    this.isLoading = true;
    try {
      this.tags = listed(await get<Facets>("facets"));
    } catch (error) {
      toasts.error(error);
    } finally {
      this.isLoading = false;
    }
  }
}

/** Facets as one list, category by category. */
export function listed(facets: Facets): KnownTag[] {
  return CATEGORIES.flatMap((category) =>
    (facets[category] ?? []).map(({ tag, display_name, count, is_own }) => ({
      name: tag,
      display_name,
      category,
      count,
      isOwn: is_own ?? false,
    })),
  );
}

export const vocabulary = new Vocabulary();
