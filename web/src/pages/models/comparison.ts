/** The document `taggram-comparison/1` (docs/evaluation.md), as far as the page reads it. */

export interface Difference {
  value: number;
  interval: [number, number];
  p_value: number;
}
export interface ComparedFigure {
  value: number | null;
  interval: [number, number] | null;
  difference: Difference | null;
}
/** What a model costs: docs/evaluation.md. */
export interface Cost {
  n_bytes: number;
  n_parameters: number;
  gflop_per_chunk: number;
  gflop_per_song: number;
  speed: { seconds_per_chunk: number; times_real_time: number; processor: string };
}
export interface ComparedModel {
  label: string;
  name: string;
  weights_sha256: string;
  cost: Cost | null;
  n_wins: number;
  figures: Record<string, ComparedFigure>;
  tags: Record<string, Difference | null>;
}
export interface ComparisonColumn {
  dataset: string;
  split: string;
  n_clips: number;
  n_tags: number;
  baseline: string;
  models: ComparedModel[];
}
export interface ComparisonDocument {
  columns: ComparisonColumn[];
}

/** Whether an interval leaves out 0. */
export function isClear({ interval: [low, high] }: Difference): boolean {
  return low > 0 || high < 0;
}

const TITLES: Record<string, string> = {
  roc_auc: "ROC-AUC",
  pr_auc: "PR-AUC",
  ranking_ap: "Ranking precision",
  f1: "F1",
};

/** "f1_at_chosen" → "F1 at chosen thresholds". */
export function titleOf(name: string): string {
  const plain = name.replace(/_at_chosen$/, "");
  const title = TITLES[plain] ?? plain.charAt(0).toUpperCase() + plain.slice(1).replaceAll("_", " ");
  return plain === name ? title : `${title} at chosen thresholds`;
}
