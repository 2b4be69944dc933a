/**
 * A SentencePiece BPE model as a tokenizer.json. SentencePiece merges the adjacent pair whose joined piece has
 * the highest score, leftmost first; ranking every split of every piece by the piece's score makes the Rust
 * library do the same. Checked id for id against Python sentencepiece.
 *
 * Text between special tokens: SentencePiece itself knows none. Like the non-legacy tokenizers of transformers a
 * space is put before the text only at its start; `legacy` puts one after every special token too.
 */
import { PIECE_KINDS, type SentencePiece } from './sentencepiece-model.js';
import type { AddedToken, TokenizerComponent, TokenizerJson } from './tokenizer-json.js';

export interface SentencePieceLayout {
  readonly byteFallback: boolean;
  readonly addDummyPrefix: boolean;
  readonly unkId: number;
  readonly legacy: boolean;
}

const SPACE = '\u2581';

export function sentencePieceJson(
  pieces: readonly SentencePiece[],
  layout: SentencePieceLayout,
): TokenizerJson {
  const vocab: Record<string, number> = Object.create(null);
  pieces.forEach(({ text }, id) => {
    vocab[text] = id;
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: addedTokens(pieces, layout),
    normalizer: normalizer(layout),
    pre_tokenizer:
      layout.addDummyPrefix && !layout.legacy
        ? { type: 'Metaspace', replacement: SPACE, prepend_scheme: 'first', split: false }
        : null,
    post_processor: null,
    decoder: decoder(layout),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: pieces[layout.unkId]!.text,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: layout.byteFallback,
      ignore_merges: false,
      vocab,
      merges: rankedMerges(pieces),
    },
  };
}

/**
 * Every way to cut a normal piece into two normal pieces, best score first; ties by id, then by the place of the cut.
 */
function rankedMerges(pieces: readonly SentencePiece[]): [string, string][] {
  const normal = new Set<string>();
  for (const { text, kind } of pieces) if (kind === PIECE_KINDS.normal) normal.add(text);
  const order = pieces
    .map((piece, id) => ({ ...piece, id }))
    .filter(({ kind }) => kind === PIECE_KINDS.normal)
    .sort((a, b) => b.score - a.score || a.id - b.id);
  const merges: [string, string][] = [];
  for (const { text } of order) {
    for (let cut = 1; cut < text.length; cut++) {
      const left = text.slice(0, cut);
      if (!normal.has(left)) continue;
      const right = text.slice(cut);
      if (normal.has(right)) merges.push([left, right]);
    }
  }
  return merges;
}

/**
 * Control tokens and user-defined pieces are taken whole wherever the text spells them. SentencePiece looks for
 * user-defined pieces after it has replaced spaces, which matters for runs of them.
 */
function addedTokens(pieces: readonly SentencePiece[], layout: SentencePieceLayout): AddedToken[] {
  const tokens: AddedToken[] = [];
  pieces.forEach(({ text, kind }, id) => {
    const special = kind === PIECE_KINDS.control || kind === PIECE_KINDS.unknown;
    if (!special && kind !== PIECE_KINDS.userDefined) return;
    const normalized = !special && text.includes(SPACE) && !layout.addDummyPrefix;
    tokens.push({ id, content: text, single_word: false, lstrip: false, rstrip: false, normalized, special });
  });
  return tokens;
}

function normalizer({ addDummyPrefix, legacy }: SentencePieceLayout): TokenizerComponent | null {
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  if (!addDummyPrefix) return replace;
  if (!legacy) return null;
  return { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE }, replace] };
}

function decoder({ addDummyPrefix }: SentencePieceLayout): TokenizerComponent {
  const decoders: TokenizerComponent[] = [
    { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  if (addDummyPrefix) decoders.push({ type: 'Strip', content: ' ', start: 1, stop: 0 });
  return { type: 'Sequence', decoders };
}
