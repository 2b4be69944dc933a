/**
 * Special functions against 60-digit values: ours, cephes and @stdlib on the points of special.json. The two libraries are
 * not dependencies; install them in any folder and name it:
 *   npm install cephes@3.3.3 @stdlib/math-base-special-betainc @stdlib/math-base-special-gammainc
 * Writes bench/results/stats-accuracy.json. Usage: node bench/stats/accuracy.mjs --modules FOLDER
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import * as own from '../../packages/stats/dist/special/index.js';
import { saveResult } from '../save-result.mjs';

const { values: options } = parseArgs({ options: { modules: { type: 'string' } } });
const golden = JSON.parse(
  readFileSync(new URL('../../packages/stats/src/special/golden/special.json', import.meta.url), 'utf8'),
);

/** Library → function → the wanted values at a row. */
const libraries = {
  ours: {
    incompleteBeta: ([a, b, x]) => Object.values(own.incompleteBeta(a, b, x)),
    incompleteGamma: ([a, x]) => Object.values(own.incompleteGamma(a, x)),
    logGamma: ([x]) => [own.logGamma(x)],
    normal: ([z]) => Object.values(own.normalTails(z)),
    normalUpperQuantile: ([q]) => [own.normalUpperQuantile(q)],
  },
};
if (options.modules !== undefined) {
  const require = createRequire(join(resolve(options.modules), 'package.json'));
  const cephes = require('cephes');
  await cephes.compiled;
  libraries.cephes = {
    incompleteBeta: ([a, b, x]) => [cephes.incbet(a, b, x), cephes.incbet(b, a, 1 - x)],
    incompleteGamma: ([a, x]) => [cephes.igam(a, x), cephes.igamc(a, x)],
    logGamma: ([x]) => [cephes.lgam(x)],
    normal: ([z]) => [cephes.ndtr(z), cephes.ndtr(-z)],
    normalUpperQuantile: ([q]) => [-cephes.ndtri(q)],
  };
  const betainc = require('@stdlib/math-base-special-betainc');
  const gammainc = require('@stdlib/math-base-special-gammainc');
  libraries.stdlib = {
    incompleteBeta: ([a, b, x]) => [betainc(x, a, b), betainc(x, a, b, true, true)],
    incompleteGamma: ([a, x]) => [gammainc(x, a), gammainc(x, a, true, true)],
  };
}

const result = {};
for (const [library, functions] of Object.entries(libraries)) {
  result[library] = {};
  for (const [name, evaluate] of Object.entries(functions)) {
    const errors = golden[name].flatMap((row) => {
      const got = evaluate(row);
      return got.map((value, i) => {
        const want = row[row.length - got.length + i];
        const error = Math.abs(value - want) / Math.abs(want);
        return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
      });
    });
    const above = errors.filter((error) => error > 1e-12).length;
    result[library][name] = { values: errors.length, worst: String(Math.max(...errors)), above1e12: above };
    console.log(
      library.padEnd(8),
      name.padEnd(20),
      Math.max(...errors).toExponential(1),
      `${above} of ${errors.length} above 1e-12`,
    );
  }
}
saveResult('stats-accuracy', result);
