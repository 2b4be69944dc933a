export { directiveValue, literalPath, shellWord, shellWords } from './quote.js';
