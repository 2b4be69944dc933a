/**
 * Byte-pair encoding, trained on word counts (Sennrich et al. 2016; bytes as symbols: Radford et al. 2019). The
 * `tokenizers` package for Node has no trainer with options, and a corpus of a few thousand distinct words needs no
 * faster one. Equal input gives equal merges: ties go to the pair that sorts first.
 */

/** A merge: the two symbols that become one. */
export type Merge = readonly [left: string, right: string];

/** The 256 bytes as printable characters, in byte order, as GPT-2 and all byte-level tokenizers write them. */
export const BYTE_SYMBOLS: readonly string[] = byteSymbols();

function byteSymbols(): string[] {
  const printable = (b: number): boolean =>
    (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : 256 + unprintable++));
}

/** Text as byte symbols: one per byte of its UTF-8 form. */
export function toByteSymbols(text: string): string[] {
  return Array.from(new TextEncoder().encode(text), (byte) => BYTE_SYMBOLS[byte]!);
}

/** How often each piece of text occurs, pieces as the pre-tokenizer's pattern cuts them. */
export function countPieces(texts: Iterable<string>, pattern: RegExp): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [piece] of text.matchAll(pattern)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  return counts;
}

/** Learns up to `merges` merges, the most frequent pair first; fewer when no pair occurs twice. */
export function trainBpe(pieces: ReadonlyMap<string, number>, merges: number): Merge[] {
  const words = [...pieces].map(([text, count]) => ({ symbols: toByteSymbols(text), count }));
  const pairs = new PairCounts();
  words.forEach((word, i) => {
    pairs.add(word.symbols, word.count, i);
  });
  const learned: Merge[] = [];
  while (learned.length < merges) {
    const best = pairs.mostFrequent();
    if (best === undefined) break;
    learned.push(best.merge);
    for (const i of best.words) {
      const word = words[i]!;
      pairs.add(word.symbols, -word.count, i);
      word.symbols = applyMerge(word.symbols, best.merge);
      pairs.add(word.symbols, word.count, i);
    }
  }
  return learned;
}

function applyMerge(symbols: readonly string[], [left, right]: Merge): string[] {
  const out: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      out.push(left + right);
      i++;
    } else out.push(symbols[i]!);
  }
  return out;
}

interface PairEntry {
  readonly merge: Merge;
  count: number;
  /** Words in which the pair may occur. */
  readonly words: Set<number>;
}

class PairCounts {
  readonly #entries = new Map<string, PairEntry>();

  add(symbols: readonly string[], count: number, word: number): void {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const merge = [symbols[i]!, symbols[i + 1]!] as const;
      const key = merge.join(' ');
      let entry = this.#entries.get(key);
      if (entry === undefined) {
        entry = { merge, count: 0, words: new Set() };
        this.#entries.set(key, entry);
      }
      entry.count += count;
      entry.words.add(word);
      if (entry.count === 0) this.#entries.delete(key);
    }
  }

  /** The pair with the highest count (at least 2), then the first in code-unit order. */
  mostFrequent(): PairEntry | undefined {
    let best: PairEntry | undefined;
    let bestKey = '';
    for (const [key, entry] of this.#entries) {
      const better = best === undefined || entry.count > best.count;
      if (better || (entry.count === best!.count && key < bestKey)) {
        best = entry;
        bestKey = key;
      }
    }
    return best !== undefined && best.count >= 2 ? best : undefined;
  }
}
