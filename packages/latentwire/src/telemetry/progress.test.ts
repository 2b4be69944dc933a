import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';
import { formatDuration, formatProgress, Progress } from './progress.js';

function setUp(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  const time = { ms: 0 };
  const clock = { now: () => new Date(0), monotonicMs: () => time.ms };
  const sink = { isTTY, columns, write: (text: string) => written.push(text) };
  return { written, time, progress: new Progress({ total: 100, sink, clock, intervalSeconds: 10 }) };
}

describe('progress', () => {
  it('writes a plain line every interval when there is no terminal', () => {
    const { written, time, progress } = setUp(false);
    for (let step = 1; step <= 25; step++) {
      time.ms += 1000;
      progress.update({ step, loss: 3 - step / 10, samples: step * 32 });
    }
    progress.finish();
    expect(written).toEqual([
      'step 1/100 1%  loss 2.9000\n',
      'step 11/100 11%  loss 1.9000  32.0 samples/s  ETA 0:01:29\n',
      'step 21/100 21%  loss 0.9000  32.0 samples/s  ETA 0:01:19\n',
      'step 25/100 25%  loss 0.5000  32.0 samples/s  ETA 0:01:15\n',
    ]);
  });

  it('redraws one line on a terminal, covers what was longer, and never wraps', () => {
    const { written, time, progress } = setUp(true, 30);
    progress.update({ step: 9, loss: 1, samples: 1 });
    time.ms += 600;
    progress.update({ step: 10, samples: 2, loss: 123.4, dataWait: 0.031 });
    time.ms += 100;
    progress.update({ step: 11 });
    progress.finish();
    expect(written[0]).toBe('\rstep 9/100 9%  loss 1.0000');
    expect(written[1]).toBe('\rstep 10/100 10%  loss 123.400'.slice(0, 30));
    expect(written.at(-1)).toBe('\n');
    for (const text of written) expect(text.length).toBeLessThanOrEqual(30);
  });

  it('leaves out what is not known', () => {
    expect(formatProgress({ step: 7 }, undefined, {})).toBe('step 7');
    expect(formatProgress({ step: 5, dataWait: 0.031 }, 10, { samplesPerSecond: 1234.5 })).toBe(
      'step 5/10 50%  1235 samples/s  data wait 3%',
    );
    expect(formatDuration(3_725.4)).toBe('1:02:05');
  });
});

describe('logger', () => {
  it('writes readable lines with fields, from its level on', () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', write: (line) => lines.push(line) });
    logger.debug('hidden');
    logger.info('loaded', { model: 'a b', layers: 30 });
    logger.error('failed', { reason: 'x' });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}loaded model="a b" layers=30\n$/);
    expect(lines[1]).toMatch(/ error failed reason=x\n$/);
  });

  it('writes JSON lines for programs', () => {
    const lines: string[] = [];
    createLogger({ level: 'warn', format: 'json', write: (line) => lines.push(line) }).warn('late', {
      step: 3,
    });
    expect(JSON.parse(lines[0]!)).toMatchObject({ level: 40, msg: 'late', step: 3 });
  });
});
