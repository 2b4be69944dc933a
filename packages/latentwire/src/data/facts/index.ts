/** The generated corpus of facts and questions that the bundled models are trained on. */
export {
  type FactQuestion,
  type FactsExample,
  type FactsShape,
  type FactsStyle,
  factsExample,
  type QuestionKind,
} from './facts-example.js';
export { type LoadFactsOptions, loadFacts } from './load-facts.js';
export { type EntityKind, NamePool, namePool } from './names.js';
