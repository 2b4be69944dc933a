/**
 * Baseline `linear_probe`: what a linear classifier reads off a frozen model that has seen the prompt as text. Vectors of
 * one layer are standardised and classified by logistic regression under stratified cross-validation: means, deviations
 * and weights come from the training folds alone, and every example is predicted by a fit that has not seen it.
 *
 * Sets with labels are classified by label. For other questions it is the first token of the answer, among those that
 * are frequent enough to learn; answers that begin with another one count as wrong.
 */
import * as t from '@latentwire/torch';
import type { Example } from '../../data/index.js';
import { LatentWireError } from '../../errors.js';
import { answerTokens, fullPromptTokens, type Reader } from '../../wire/index.js';
import { crossValidated } from './cross-validation.js';
import { type FeatureOptions, promptFeatures } from './features.js';
import { stratifiedFolds } from './folds.js';

export interface ProbeOptions {
  /** Layer, see `promptFeatures`; null: two thirds up. */
  readonly layer: number | null;
  readonly pooling: FeatureOptions['pooling'];
  readonly folds: number;
  /** Inverse strength of the L2 penalty. */
  readonly c: number;
  readonly batchSize: number;
  /** Label words of the task; null: the first answer token is predicted. */
  readonly labels: readonly string[] | null;
  readonly root: t.random.RandomRoot;
}

export interface ProbeResult {
  /** Per example: the predicted label, or text of the first token. */
  readonly predictions: readonly string[];
  /** Per example: what it is compared with. */
  readonly golds: readonly string[];
  /** Share of examples predicted right, in [0, 1]. */
  readonly accuracy: number;
  /** Unweighted mean of the F1 of each class that occurs or is predicted. */
  readonly macroF1: number;
  /** Of each fold. */
  readonly foldAccuracies: readonly number[];
  readonly classes: number;
  /** Share of examples whose gold is one of the classes: the most that could be right. */
  readonly coverage: number;
  readonly layer: number;
}

/** Most first tokens that a probe tells apart. */
const MAX_CLASSES = 64;
/** Tokens of an answer that are looked at for its first word. */
const LEADING_TOKENS = 3;

/** @throws LatentWireError `input` when layer, folds or examples do not fit together */
export async function linearProbe(
  reader: Reader,
  examples: readonly Example[],
  options: ProbeOptions,
): Promise<ProbeResult> {
  const { folds, root, c } = options;
  const layer = checkedLayer(options.layer, reader.model.config.layers);
  const golds =
    options.labels === null ? await firstTokens(reader, examples) : examples.map((e) => e.answers[0] ?? '');
  const classes = frequentClasses(golds, folds);
  if (classes.length < 2) {
    throw new LatentWireError(
      `expected at least two answers with ${folds} examples each for ${folds} folds, got ${classes.length} among ${examples.length} examples`,
      { code: 'input', hint: 'raise --eval-samples or lower --probe-folds' },
    );
  }
  // Answers without a class of their own are class −1: they are in the folds and never in a fit.
  const labels = Int32Array.from(golds, (gold) => classes.indexOf(gold));
  const fold = stratifiedFolds(labels, folds, root.stream('linear-probe'));
  const prompts = await fullPromptTokens(reader, examples);
  const predicted = t.scope(() => {
    const features = promptFeatures(reader.model, prompts, { ...options, layer });
    return crossValidated(features, labels, fold, { folds, classes: classes.length, c });
  });
  const predictions = Array.from(predicted, (label) => classes[label]!);
  const right = predictions.map((prediction, i) => prediction === golds[i]);
  return {
    predictions,
    golds,
    accuracy: mean(right),
    macroF1: macroF1(predictions, golds),
    foldAccuracies: Array.from({ length: folds }, (_, k) => mean(right.filter((_, i) => fold[i] === k))),
    classes: classes.length,
    coverage: mean(Array.from(labels, (label) => label >= 0)),
    layer,
  };
}

/** Unweighted mean over the classes that occur or are predicted; 0 where a class is never right. */
export function macroF1(predictions: readonly string[], golds: readonly string[]): number {
  const classes = [...new Set([...golds, ...predictions])];
  return mean(
    classes.map((name) => {
      const hits = golds.filter((gold, i) => gold === name && predictions[i] === name).length;
      const asked = golds.filter((gold) => gold === name).length;
      const said = predictions.filter((prediction) => prediction === name).length;
      return (2 * hits) / (asked + said);
    }),
  );
}

/** Distinct golds with at least `least` examples, the most frequent first. */
function frequentClasses(golds: readonly string[], least: number): string[] {
  const counts = new Map<string, number>();
  for (const gold of golds) counts.set(gold, (counts.get(gold) ?? 0) + 1);
  return [...counts]
    .filter(([, count]) => count >= least)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, MAX_CLASSES)
    .map(([gold]) => gold);
}

/** Text of the first token of each first gold answer that is not white space alone. */
async function firstTokens(reader: Reader, examples: readonly Example[]): Promise<string[]> {
  const tokens = await answerTokens(
    reader,
    examples.map((e) => e.answers[0] ?? ''),
    LEADING_TOKENS,
  );
  const texts = new Map<number, string>();
  for (const id of new Set(tokens.flatMap((ids) => [...ids]))) {
    texts.set(id, (await reader.tokenizer.decode([id], { skipSpecialTokens: false })).trim());
  }
  return tokens.map((ids) => [...ids].map((id) => texts.get(id)!).find((text) => text !== '') ?? '');
}

function checkedLayer(asked: number | null, layers: number): number {
  if (asked === null) return Math.round((2 * layers) / 3);
  if (asked <= layers) return asked;
  throw new LatentWireError(`expected --probe-layer between 0 and ${layers}, got ${asked}`, {
    code: 'input',
    hint: 'layer 0 is the embedding',
  });
}

function mean(values: readonly (number | boolean)[]): number {
  return values.reduce((sum: number, value) => sum + Number(value), 0) / Math.max(1, values.length);
}
