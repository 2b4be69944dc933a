/**
 * SQuAD v1.1 and v2.0 in the official JSON layout:
 *   { version, data: [{ title, paragraphs: [{ context, qas: [{ id, question, answers: [{ text }], is_impossible? }] }] }] }
 * Source: Rajpurkar et al. 2016 (arXiv 1606.05250) and 2018 (arXiv 1806.03822). Offsets (`answer_start`) are not
 * used: the official scores do not depend on them.
 */
import { contextIdOf, type Example } from './example.js';
import { describeValue, Problems } from './problems.js';

/** '1.1': every question has an answer. '2.0': a question may have none (`is_impossible`). */
export type SquadVersion = '1.1' | '2.0';

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Turns parsed official JSON into examples, in file order.
 * @throws LatentWireError `format` listing the first wrong places as `data[3].paragraphs[0].qas[2].id`.
 */
export function parseSquadJson(json: unknown, file: string, version: SquadVersion): Example[] {
  const problems = new Problems(file);
  const examples: Example[] = [];
  const placeOfId = new Map<string, string>();

  for (const [article, place] of objects(json, 'data', '', problems)) {
    const title = typeof article.title === 'string' ? article.title : '';
    for (const [paragraph, paragraphPlace] of objects(article, 'paragraphs', place, problems)) {
      const context = text(paragraph, 'context', paragraphPlace, problems);
      const contextId = context === undefined ? '' : contextIdOf(context);
      for (const [qa, qaPlace] of objects(paragraph, 'qas', paragraphPlace, problems)) {
        const id = text(qa, 'id', qaPlace, problems);
        const question = text(qa, 'question', qaPlace, problems);
        const answers = answersOf(qa, qaPlace, version, problems);
        if (id === undefined || question === undefined || context === undefined) continue;
        const earlier = placeOfId.get(id);
        if (earlier !== undefined) {
          problems.add(
            `${qaPlace}.id`,
            'an id that occurs once',
            `${describeValue(id)}, also at ${earlier}.id`,
          );
          continue;
        }
        placeOfId.set(id, qaPlace);
        if (answers !== undefined) examples.push({ id, context, question, answers, title, contextId });
      }
    }
  }
  if (problems.count === 0 && examples.length === 0) problems.add('data', 'at least one question', 'none');
  problems.throwIfAny(
    'expected the official SQuAD JSON layout; see https://rajpurkar.github.io/SQuAD-explorer',
  );
  return examples;
}

/** Checks one gold answer list; shared with the Parquet reader, where the list is plain strings. */
export function checkAnswers(
  answers: readonly unknown[],
  place: string,
  version: SquadVersion,
  problems: Problems,
): readonly string[] | undefined {
  if (answers.length === 0 && version === '1.1') {
    problems.add(place, 'at least one answer (SQuAD v1.1)', 'an empty list');
    return undefined;
  }
  for (const [index, answer] of answers.entries()) {
    if (!isText(answer)) {
      problems.add(`${place}[${index}]`, 'a non-empty answer text', describeValue(answer));
      return undefined;
    }
  }
  return answers as readonly string[];
}

/** A usable text: a non-empty string without lone surrogates (tokenizers cannot encode those). */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && !/\p{Surrogate}/u.test(value);
}

function answersOf(
  qa: JsonObject,
  place: string,
  version: SquadVersion,
  problems: Problems,
): readonly string[] | undefined {
  const impossible = qa.is_impossible === true;
  if (impossible && version === '1.1') {
    problems.add(
      `${place}.is_impossible`,
      'an answerable question (SQuAD v1.1)',
      'true: this is SQuAD v2 data',
    );
    return undefined;
  }
  const before = problems.count;
  const texts = [...objects(qa, 'answers', place, problems)].map(([answer]) => answer.text);
  if (problems.count > before) return undefined;
  if (impossible) {
    if (texts.length === 0) return [];
    problems.add(`${place}.answers`, 'no answers where is_impossible is true', `a list of ${texts.length}`);
    return undefined;
  }
  if (texts.length === 0 && version === '2.0') {
    problems.add(`${place}.answers`, 'an answer, or is_impossible: true', 'an empty list');
    return undefined;
  }
  return checkAnswers(texts, `${place}.answers`, version, problems);
}

function* objects(
  parent: unknown,
  key: string,
  place: string,
  problems: Problems,
): Generator<[JsonObject, string]> {
  const here = place === '' ? key : `${place}.${key}`;
  const list = isObject(parent) ? parent[key] : undefined;
  if (!Array.isArray(list)) {
    problems.add(here, 'a list', describeValue(list));
    return;
  }
  for (const [index, item] of list.entries()) {
    if (isObject(item)) yield [item, `${here}[${index}]`];
    else problems.add(`${here}[${index}]`, 'an object', describeValue(item));
  }
}

function text(parent: JsonObject, key: string, place: string, problems: Problems): string | undefined {
  const value = parent[key];
  if (isText(value)) return value;
  problems.add(`${place}.${key}`, 'a non-empty text', describeValue(value));
  return undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
