import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/support/temporary-folder.js';
import { DiagnosticsWriter, readDiagnostics } from './diagnostics.js';
import { numberOf } from './json.js';

const within = temporaryFolder();
let next = 0;
const fresh = () => within(`diagnostics-${next++}.jsonl`);

describe('diagnostics.jsonl', () => {
  it('reads each step exactly once after any number of interruptions (property)', () => {
    // Each attempt resumes from a checkpoint at or before the last step it can know of, then runs some steps.
    const attempts = fc.array(fc.record({ back: fc.nat(6), steps: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 7,
    });
    fc.assert(
      fc.property(attempts, (plan) => {
        const file = fresh();
        let reached = 0;
        const history: number[] = [];
        for (const [index, { back, steps }] of plan.entries()) {
          const checkpoint = Math.max(0, reached - back);
          const writer = new DiagnosticsWriter(file, { attempt: index + 1 });
          for (let step = checkpoint + 1; step <= checkpoint + steps; step++) {
            writer.append({ step, loss: index });
            history[step] = index;
          }
          writer.close();
          reached = checkpoint + steps;
          history.length = reached + 1;
        }
        const rows = readDiagnostics(file);
        expect(rows.map((row) => row.step)).toEqual(Array.from({ length: reached }, (_, i) => i + 1));
        expect(rows.map((row) => row.loss)).toEqual(history.slice(1));
        // Nothing is lost on disk: superseded rows stay in the file.
        expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toHaveLength(
          plan.reduce((n, a) => n + a.steps, 0),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('records attempt and time, and keeps a diverged loss visible', () => {
    const file = fresh();
    const clock = { now: () => new Date(0), monotonicMs: () => 0 };
    const writer = new DiagnosticsWriter(file, { attempt: 2, clock });
    writer.append({ step: 1, loss: Number.NaN });
    writer.close();
    const [row] = readDiagnostics(file);
    expect(row).toEqual({ step: 1, attempt: 2, time: '1970-01-01T00:00:00.000Z', loss: 'NaN' });
    expect(numberOf(row!.loss)).toBeNaN();
  });

  it('refuses steps that do not increase within an attempt', () => {
    const writer = new DiagnosticsWriter(fresh(), { attempt: 1 });
    writer.append({ step: 3 });
    expect(() => writer.append({ step: 3 })).toThrow('expected a step after 3, got 3');
    expect(() => writer.append({ step: 3.5 })).toThrow('got 3.5');
  });

  it('names a record without a step', () => {
    const file = fresh();
    writeFileSync(file, '{"step":1}\n{"loss":1}\n');
    expect(() => readDiagnostics(file)).toThrow('integer "step" in record 2');
  });
});
