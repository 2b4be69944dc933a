/**
 * Trains the tokenizers of the bundled models and writes them in the Hugging Face format (tokenizer.json for the
 * `tokenizers` library, tokenizer_config.json for transformers).
 */
import { type FactsStyle, factsExample } from '../data/facts/index.js';
import type { JsonRecord } from '../telemetry/index.js';
import { PromptFormat } from '../wire/index.js';
import { BYTE_SYMBOLS, countPieces, type Merge, trainBpe } from './bpe.js';

/** What makes one tokenizer unlike another. */
export interface TokenizerDesign {
  /** Size of the vocabulary, special tokens included. */
  readonly vocabSize: number;
  /** Cuts text into pieces that are merged separately; must match every character. Oniguruma and JavaScript syntax. */
  readonly pattern: string;
  /** Special tokens; Llama lists them first, Qwen last. */
  readonly special: readonly string[];
  readonly specialFirst: boolean;
  /** Put before every text by the tokenizer itself; null: nothing. */
  readonly bos: string | null;
  readonly eos: string;
  readonly pad: string;
}

export interface TrainedTokenizer {
  readonly design: TokenizerDesign;
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly merges: readonly Merge[];
}

/** Learns a vocabulary of `design.vocabSize` tokens from texts. */
export function trainTokenizer(design: TokenizerDesign, texts: Iterable<string>): TrainedTokenizer {
  const wanted = design.vocabSize - BYTE_SYMBOLS.length - design.special.length;
  const merges = trainBpe(countPieces(texts, new RegExp(design.pattern, 'gu')), wanted);
  const learned = [...BYTE_SYMBOLS, ...merges.map(([left, right]) => left + right)];
  const tokens = design.specialFirst ? [...design.special, ...learned] : [...learned, ...design.special];
  return { design, merges, vocabulary: new Map(tokens.map((token, id) => [token, id])) };
}

/** Contexts that a vocabulary is learned from; more change no merge that matters. */
const CORPUS_CONTEXTS = 4000;
/** Fixed, so that the vocabulary belongs to the design and not to the seed of a training. */
const CORPUS_SEED = 0;

/** Prompts and answers of the train split, as the model will see them. */
export function* corpusTexts(style: FactsStyle = 'plain'): Generator<string> {
  const format = new PromptFormat({ renderChat: null, stopIds: [], bosId: null });
  for (let i = 0; i < CORPUS_CONTEXTS; i++) {
    const { context, qa } = factsExample('train', CORPUS_SEED, i, { style });
    yield format.promptText('').head + format.contextText(context) + format.repeatText().tail;
    for (const { question, answer } of qa) yield format.promptText(question).tail + format.answerText(answer);
  }
}

/** tokenizer.json */
export function tokenizerJson({ design, vocabulary, merges }: TrainedTokenizer): JsonRecord {
  const id = (token: string): number => vocabulary.get(token)!;
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: design.special.map((content) => ({
      id: id(content),
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: design.pattern }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor:
      design.bos === null
        ? { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
        : {
            type: 'TemplateProcessing',
            single: [{ SpecialToken: { id: design.bos, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
            pair: [
              { SpecialToken: { id: design.bos, type_id: 0 } },
              { Sequence: { id: 'A', type_id: 0 } },
              { SpecialToken: { id: design.bos, type_id: 1 } },
              { Sequence: { id: 'B', type_id: 1 } },
            ],
            special_tokens: {
              [design.bos]: { id: design.bos, ids: [id(design.bos)], tokens: [design.bos] },
            },
          },
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      // Special tokens too: the library numbers those it does not find here after the last entry.
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  };
}

/** tokenizer_config.json */
export function tokenizerConfigJson({ design }: TrainedTokenizer, maxPositions: number): JsonRecord {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: design.bos,
    eos_token: design.eos,
    pad_token: design.pad,
    unk_token: null,
    model_max_length: maxPositions,
    clean_up_tokenization_spaces: false,
  };
}
