/** The tables of a report: all methods, ablations, scaling. A row says from which runs its numbers are. */
import { formatPValue, significanceStars } from '@latentwire/stats';
import type { ResultsDocument } from '../aggregate/index.js';
import type { ReportCell, ReportRow, ReportTable } from './report-table.js';
import {
  type Contrast,
  contrastFamily,
  DEFAULT_RESAMPLES,
  type Interval,
  type MethodSummary,
  type StatisticsOptions,
} from './summarise.js';

const HALF = ' and questions';

/** Every method; latents against as many tokens of text. Undefined when nothing is finished. */
export function mainTable(
  document: ResultsDocument,
  methods: readonly MethodSummary[],
  options: StatisticsOptions = {},
): ReportTable | undefined {
  const shown = methods
    .filter((method) => inMainTable(method) && !isRepeated(method, methods))
    .sort((a, b) => partOf(a) - partOf(b) || textOrder(a) - textOrder(b));
  if (shown.length === 0) return undefined;
  const contrasts = againstBudget(document, shown, options);
  const best = Math.max(...shown.filter((method) => method.mode === 'latent').map(({ f1 }) => f1.mean));
  let part = -1;
  const rows = shown.map((method): ReportRow => {
    const contrast = contrasts.find((entry) => entry.method === method.method);
    const mine = partOf(method);
    const begins = mine !== part;
    part = mine;
    return {
      ...(begins && { part: PARTS[mine]! }),
      cells: [
        cell(labelOf(method)),
        number(method.tokenRatio, 1),
        number(method.byteRatio, 2),
        {
          text: percentInterval(method.f1),
          ...(method.mode === 'latent' && method.f1.mean === best && { bold: true }),
        },
        number(100 * method.em, 1),
        number(method.nll, 2),
        ...contrastCells(contrast),
      ],
      source: sourceOf(document, method),
    };
  });
  return {
    id: 'main',
    caption: `F1 and compression of all methods${datasetOf(document)}`,
    columns: [
      { title: 'Method', left: true },
      { title: 'tokens ×' },
      { title: 'bytes ×' },
      { title: 'F1 [95 % interval]' },
      { title: 'EM' },
      { title: 'NLL' },
      { title: 'ΔF1 to token budget' },
      { title: 'p' },
    ],
    rows,
    notes: [
      sizeNote(shown),
      `Intervals: bootstrap over seeds${HALF}, clustered by context where known (${options.resamples ?? DEFAULT_RESAMPLES} resamples).`,
      ...(contrasts.length === 0
        ? []
        : [
            `Δ: paired by question, against as many tokens of text as there are latents; p corrected over ${contrasts.length} tests (Holm). * p < 0.05, ** p < 0.01, *** p < 0.001.`,
          ]),
      'tokens ×, bytes ×: how many times smaller than the text (bytes: encoded message against UTF-8). NLL: nats per gold answer token.',
    ],
  };
}

/** Each ablation against the full system. Undefined when there is none, or nothing to compare with. */
export function ablationTable(
  document: ResultsDocument,
  methods: readonly MethodSummary[],
  options: StatisticsOptions = {},
):
  | {
      readonly table: ReportTable;
      readonly contrasts: readonly Contrast[];
      readonly labels: ReadonlyMap<string, string>;
    }
  | undefined {
  const inPhase = methods.filter((method) => placeOf(method, 'ablation') !== undefined);
  const isFull = (method: MethodSummary): boolean =>
    /^(?:full|all|reference)$/i.test(placeOf(method, 'ablation')!.label);
  const pairs = inPhase.flatMap((method) => {
    if (isFull(method)) return [];
    const full = inPhase.find((other) => isFull(other) && other.model === method.model);
    return full === undefined ? [] : [{ method: method.method, against: full.method }];
  });
  if (pairs.length === 0) return undefined;
  const contrasts = contrastFamily(document, pairs, options);
  const several = new Set(inPhase.map(({ model }) => model)).size > 1;
  const labels = new Map(
    inPhase.map((method) => [
      method.method,
      placeOf(method, 'ablation')!.label + (several ? ` · ${method.model}` : ''),
    ]),
  );
  const ordered = [...inPhase.filter(isFull), ...inPhase.filter((method) => !isFull(method))];
  return {
    contrasts,
    labels,
    table: {
      id: 'ablation',
      caption: `Ablations${datasetOf(document)}`,
      columns: [
        { title: 'System', left: true },
        { title: 'F1 [95 % interval]' },
        { title: 'EM' },
        { title: 'ΔF1 to full' },
        { title: 'p' },
        { title: 'Verdict', left: true },
      ],
      rows: ordered.map((method) => {
        const contrast = contrasts.find((entry) => entry.method === method.method);
        return {
          cells: [
            cell(labels.get(method.method)!),
            cell(percentInterval(method.f1)),
            number(100 * method.em, 1),
            ...contrastCells(contrast),
            contrast === undefined
              ? null
              : cell(contrast.significant ? contrast.comparison.verdict : verdictOf(contrast)),
          ],
          source: sourceOf(document, method),
        };
      }),
      notes: [
        sizeNote(ordered),
        `Paired by question; p corrected over ${contrasts.length} tests (Holm). * p < 0.05, ** p < 0.01, *** p < 0.001.`,
        ...contrasts.flatMap(({ method, comparison }) =>
          comparison.verdict === 'not enough data' ? [`${labels.get(method)}: ${comparison.sentence}`] : [],
        ),
      ],
    },
  };
}

/** Training examples and model sizes. Undefined when neither was varied. */
export function scalingTable(
  document: ResultsDocument,
  methods: readonly MethodSummary[],
): ReportTable | undefined {
  const samples = methods
    .filter((method) => placeOf(method, 'samples') !== undefined)
    .sort((a, b) => samplesOf(a) - samplesOf(b));
  const models = methods.filter((method) => placeOf(method, 'models') !== undefined);
  if (samples.length + models.length === 0) return undefined;
  const row = (method: MethodSummary, label: string, part: string | undefined): ReportRow => ({
    ...(part !== undefined && { part }),
    cells: [
      cell(label),
      cell(percentInterval(method.f1)),
      number(100 * method.em, 1),
      number(method.nll, 2),
      cell(String(method.seeds)),
    ],
    source: sourceOf(document, method),
  });
  const several = new Set(samples.map(({ model }) => model)).size > 1;
  return {
    id: 'scaling',
    caption: `Scaling${datasetOf(document)}`,
    columns: [
      { title: 'Varied', left: true },
      { title: 'F1 [95 % interval]' },
      { title: 'EM' },
      { title: 'NLL' },
      { title: 'seeds' },
    ],
    rows: [
      ...samples.map((method, i) =>
        row(
          method,
          `${thousands(samplesOf(method))}${several ? ` · ${method.model}` : ''}`,
          i === 0 ? 'Training examples' : undefined,
        ),
      ),
      ...models.map((method, i) => row(method, method.model, i === 0 ? 'Frozen model' : undefined)),
    ],
    notes: [sizeNote([...samples, ...models])],
  };
}

/** Comparisons of latents with the token budget of the same M, model and data. */
export function againstBudget(
  document: ResultsDocument,
  methods: readonly MethodSummary[],
  options: StatisticsOptions = {},
): Contrast[] {
  const pairs = methods.flatMap((method) => {
    if (method.mode !== 'latent' || method.group === undefined) return [];
    const budget = document.references.find(
      (reference) =>
        reference.mode === 'token_budget' &&
        reference.model === method.model &&
        reference.budget === Number(method.group!.config.wire?.latent_len) &&
        reference.dataset === String(method.group!.config.data?.dataset),
    );
    return budget === undefined ? [] : [{ method: method.method, against: budget.method }];
  });
  return contrastFamily(document, pairs, options);
}

export function placeOf(method: MethodSummary, kind: string) {
  return method.group?.places.find((place) => place.kind === kind);
}

export function samplesOf(method: MethodSummary): number {
  return Number(method.group?.config.data?.samples ?? Number.NaN);
}

const PARTS = ['Text', 'Baselines', 'Latent wire'] as const;

function partOf({ mode }: MethodSummary): number {
  if (TEXT_MODES.includes(mode.replace(/_(?:first|last|random)$/, ''))) return 0;
  return mode === 'latent' ? 2 : 1;
}

/** Whole text, then budgets by size, then the question alone; what is no text keeps its order. */
function textOrder(method: MethodSummary): number {
  if (partOf(method) !== 0) return 0;
  return method.mode === 'text' ? -1e9 : method.mode === 'no_context' ? 1e9 : budgetOf(method);
}

const TEXT_MODES = ['text', 'token_budget', 'no_context'];

function budgetOf({ reference, group }: MethodSummary): number {
  return Number(reference?.budget ?? group?.config.wire?.latent_len);
}

/** Measured beside the wire, and by a run of its own too: one row is enough. */
function isRepeated(method: MethodSummary, methods: readonly MethodSummary[]): boolean {
  return (
    method.reference !== undefined &&
    methods.some(
      (other) =>
        other.group !== undefined &&
        other.mode === method.mode &&
        other.model === method.model &&
        other.questions === method.questions &&
        (!method.mode.startsWith('token_budget') || budgetOf(other) === budgetOf(method)),
    )
  );
}

/** Ablations and scaling have tables of their own. */
function inMainTable(method: MethodSummary): boolean {
  if (method.group === undefined) return true;
  const kinds = method.group.places.map(({ kind }) => kind);
  return (
    kinds.length === 0 || kinds.some((kind) => kind === 'grid' || kind === 'baselines' || kind === 'other')
  );
}

/** As short as it can be: the label in its phase, with M and d_z in the words of the paper. */
export function labelOf(method: MethodSummary): string {
  if (method.group === undefined) return method.method.replaceAll('_', ' ');
  const place =
    method.group.places.find(({ kind }) => kind === 'grid' || kind === 'baselines') ?? method.group.places[0];
  const words = (place?.label ?? method.group.name)
    .replace('latent_len=', 'M=')
    .replaceAll(/(?<=[a-z])_(?=[a-z]{2})/g, ' ');
  const label =
    method.mode.startsWith('token_budget') && !words.includes('M=')
      ? `${words} M=${budgetOf(method)}`
      : words;
  return method.method === method.group.name
    ? label
    : `${label}${method.method.slice(method.group.name.length)}`;
}

function datasetOf(document: ResultsDocument): string {
  const names = [...new Set(document.groups.map(({ config }) => String(config.data?.dataset ?? '')))].filter(
    Boolean,
  );
  return names.length === 0 ? '' : ` on ${names.join(', ')}`;
}

function sizeNote(methods: readonly MethodSummary[]): string {
  const range = (values: readonly number[]): string => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low === high ? String(low) : `${low} to ${high}`;
  };
  const trained = methods.filter((method) => method.group !== undefined);
  const counts = trained.map((method) => method.seeds);
  const seeds =
    counts.length === 0 ? '' : `, ${range(counts)} ${Math.max(...counts) === 1 ? 'seed' : 'seeds'}`;
  return `${range(methods.map((method) => method.questions))} questions${seeds}.`;
}

function sourceOf(document: ResultsDocument, method: MethodSummary): string {
  const hashes = method.runs.map(
    (name) =>
      `${name} (config ${document.runs.find((run) => run.name === name)?.config_hash.slice(0, 12) ?? '?'})`,
  );
  return `${document.files.methods} of ${hashes.join(', ')}`;
}

function verdictOf({ comparison }: Contrast): string {
  return comparison.verdict === 'not enough data' ? 'not enough data' : 'no difference shown';
}

function contrastCells(contrast: Contrast | undefined): (ReportCell | null)[] {
  if (contrast === undefined) return [null, null];
  const { comparison, adjustedPValue } = contrast;
  const { difference, ci } = comparison;
  return [
    cell(`${signed(100 * difference)} [${signed(100 * ci.low)}, ${signed(100 * ci.high)}]`),
    cell(`${formatPValue(adjustedPValue)}${significanceStars(adjustedPValue)}`),
  ];
}

function cell(text: string): ReportCell {
  return { text };
}

function number(value: number | undefined, digits: number): ReportCell | null {
  return value === undefined || !Number.isFinite(value) ? null : { text: value.toFixed(digits) };
}

/** `41.2 [39.8, 42.5]`, in percent. */
export function percentInterval({ mean, low, high }: Interval): string {
  const show = (value: number): string => (100 * value).toFixed(1);
  return Number.isFinite(low) ? `${show(mean)} [${show(low)}, ${show(high)}]` : show(mean);
}

/** With a true minus sign; a value that rounds to zero has none. */
function signed(value: number): string {
  const text = Math.abs(value).toFixed(1);
  if (Number(text) === 0) return text;
  return value < 0 ? `−${text}` : `+${text}`;
}

export function thousands(value: number): string {
  return Number.isFinite(value) ? value.toLocaleString('en-US') : 'all';
}
