/** Plans for file tags, in words. */
import type { Plan } from "$lib/api/types";

export const STATES: Record<Plan["state"], string> = {
  making: "Being made",
  ready: "Not written yet",
  applying: "Being written",
  applied: "Written",
  undoing: "Being taken back",
  undone: "Taken back",
  failed: "Failed",
};

/** How a file ended; docs/file_tags.md has the whole of it. */
export const OUTCOMES: Record<string, string> = {
  written: "written",
  unchanged: "were as planned already",
  changed: "left alone: they say something else than the plan expects",
  read_only: "cannot be written: file or folder do not allow it",
  hard_linked: "left alone: they have several names on the disk",
  disk_full: "no space for the copy",
  rejected: "left alone: the copy came out wrong",
  unsupported: "cannot hold tags",
  corrupt: "left alone: their tags are damaged",
  unreadable: "cannot be opened",
  restored: "restored, every byte",
  reset: "set back; what others wrote since stays",
};
