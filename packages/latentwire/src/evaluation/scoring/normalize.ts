/**
 * Answer normalisation of the official SQuAD scripts (evaluate-v1.1.py and evaluate-v2.0.py share it):
 * lower-case, drop ASCII punctuation, replace the articles a/an/the by a space, squeeze white space.
 *
 * The scripts run on Python, whose text rules differ from JavaScript's, so they are spelled out here:
 * - `\b` is Unicode-aware. A word character is one with str.isalnum() or '_', which over all of Unicode is
 *   general category L* or N*: combining marks end a word ("a\u0301" holds the article "a").
 * - str.split() and JavaScript's \s differ: U+001C–U+001F and U+0085 split in Python, U+FEFF does not.
 * - str.lower() and toLowerCase() both follow Unicode's SpecialCasing (İ → i̇, final sigma): no difference.
 */

/** Python's string.punctuation. */
const PUNCTUATION = /[!-/:-@[-`{-~]/g;
/** The regular expression \b(a|an|the)\b of the scripts, with Python's word characters. */
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu;
/** Runs of the characters with str.isspace(). */
const WHITE_SPACE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these control characters are white space in Python
  /[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** The normalised form that exact match compares. */
export function normalizeAnswer(text: string): string {
  return answerTokens(text).join(' ');
}

/** The words of the normalised form, which F1 compares as a multiset. */
export function answerTokens(text: string): string[] {
  return text
    .toLowerCase()
    .replace(PUNCTUATION, '')
    .replace(ARTICLES, ' ')
    .split(WHITE_SPACE)
    .filter((word) => word !== '');
}
