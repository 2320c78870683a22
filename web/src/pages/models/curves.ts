/** Figures against strength, ready to be drawn. */
import type { DeformationCurves, RobustFigure, RobustnessCurves } from "$lib/api/types";

/** One column of a panel: a strength, or the undeformed sound where nothing would be changed. */
export interface Step {
  label: string;
  isClean: boolean;
  isPublished: boolean;
  /** In the order of the models; null where one was not studied so. */
  figures: (RobustFigure | null)[];
}

/** At most three decimals: 0.7071… → "0.707". */
export function writeStrength(strength: number | string): string {
  return typeof strength === "number" ? String(Number(strength.toFixed(3))).replace("-", "−") : strength.replaceAll("_", " ");
}

/** The strengths of a deformation in order, with the undeformed sound in its place. */
export function stepsOf(deformation: DeformationCurves, { models }: RobustnessCurves, figure: string): Step[] {
  const { identity } = deformation;
  const steps: (Step & { at: number | string })[] = deformation.strengths
    .filter(({ strength }) => strength !== identity)
    .map(({ strength, is_published, models: found }) => ({
      at: strength,
      label: writeStrength(strength),
      isClean: false,
      isPublished: is_published,
      figures: found.map((figures) => figures?.[figure] ?? null),
    }));
  if (identity === null || identity === undefined) return steps;
  const clean = models.map((model) => model.clean[figure] ?? null);
  steps.push({ at: identity, label: writeStrength(identity), isClean: true, isPublished: false, figures: clean });
  return steps.sort((a, b) => Number(a.at) - Number(b.at));
}

export interface Scale {
  low: number;
  high: number;
  ticks: number[];
}

/** A scale of round numbers around all values and intervals of a figure. */
export function scaleOf(curves: RobustnessCurves, figure: string): Scale {
  const found = [
    ...curves.models.map(({ clean }) => clean[figure]),
    ...curves.deformations.flatMap(({ strengths }) => strengths.flatMap(({ models }) => models.map((own) => own?.[figure]))),
  ];
  const ends = found.flatMap((one) => [one?.value, ...(one?.interval ?? [])]).filter((value) => typeof value === "number");
  if (!ends.length) return { low: 0, high: 1, ticks: [0, 1] };
  const [least, greatest] = [Math.min(...ends), Math.max(...ends)];
  const step = [0.01, 0.02, 0.05, 0.1, 0.2].find((one) => (greatest - least) / one <= 5) ?? 0.25;
  const [from, to] = [Math.floor(least / step), Math.max(Math.ceil(greatest / step), Math.floor(least / step) + 1)];
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toFixed(4)));
  return { low: ticks[0]!, high: ticks.at(-1)!, ticks };
}
