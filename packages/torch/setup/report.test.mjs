/** Progress must help on a terminal and stay readable in a log file. */
import { expect, test } from 'vitest';
import { createReporter } from './report.mjs';

/** @param {boolean} isTTY */
function record(isTTY) {
  let now = 0;
  let text = '';
  const stream = { isTTY, columns: 60, write: (/** @type {string} */ part) => (text += part) };
  const reporter = createReporter(stream, () => now);
  return {
    reporter,
    tick: (/** @type {number} */ ms) => {
      now += ms;
    },
    text: () => text,
  };
}

test('a log gets plain lines: the result of each step, progress at most every ten seconds', () => {
  const { reporter, tick, text } = record(false);
  const step = reporter.step('torch');
  for (let i = 0; i < 25; i++) {
    step.progress(`${i} %`);
    tick(1000);
  }
  step.done('2.15.0');
  expect(text()).toBe('  torch      10 %\n  torch      20 %\n  torch      2.15.0 (25.0 s)\n');
});

test('a terminal gets one line that is redrawn, cut to its width, and cleared for the result', () => {
  const { reporter, text } = record(true);
  const step = reporter.step('torch');
  step.progress('x'.repeat(200));
  step.progress('50 %');
  reporter.note('note');
  step.done('2.15.0');
  const lines = text().split('\n');
  expect(text().startsWith(`\r\u001b[2K  torch      ${'x'.repeat(46)}\r`)).toBe(true);
  expect(Math.max(...lines.map((line) => (line.split('\r').at(-1) ?? '').length))).toBeLessThan(70);
  expect(lines.at(-2)).toBe('  torch      2.15.0 (0.0 s)');
});
