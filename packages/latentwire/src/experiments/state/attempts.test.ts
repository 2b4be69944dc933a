/** Protects the policy of starting again: what is free, what is counted, what ends the loop. */
import { appendFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import type { RunStatus } from '../../telemetry/index.js';
import { type AttemptEnd, type Cause, classify, judge, readAttempts, recordAttempt } from './attempts.js';

const within = temporaryFolder();
const retries = { crash: 2, oom: 0, no_progress: 3 };
const end = (cause: Cause, step = 0): AttemptEnd => ({
  cause,
  step,
  message: null,
  exit_code: null,
  signal: null,
  left_directory: true,
});

describe('after an attempt', () => {
  it('preemption and time limits are free as long as there is progress', () => {
    const ends = Array.from({ length: 50 }, (_, i) => end(i % 2 ? 'timeout' : 'preempted', i + 1));
    expect(judge(ends, retries)).toEqual({ kind: 'go' });
  });

  it('crashes are counted, preemptions between them are not', () => {
    const two = [end('crash', 1), end('preempted', 2), end('killed', 3), end('preempted', 4)];
    expect(judge(two, retries).kind).toBe('go');
    expect(judge([...two, end('crash', 5)], retries)).toMatchObject({ kind: 'stop', cause: 'crash' });
  });

  it('no further checkpoint ends the loop, whatever the cause', () => {
    const stuck = [end('preempted', 7), end('preempted', 7), end('lost', 7), end('timeout', 7)];
    expect(judge(stuck.slice(0, 3), retries).kind).toBe('go');
    expect(judge(stuck, retries)).toMatchObject({ kind: 'stop', cause: 'no_progress' });
    expect(judge([...stuck, end('preempted', 8)], retries).kind).toBe('go');
  });

  it('wrong settings end it at once, running out of memory unless allowed', () => {
    expect(judge([end('invalid')], retries).kind).toBe('stop');
    expect(judge([end('oom')], retries).kind).toBe('stop');
    expect(judge([end('oom')], { ...retries, oom: 1 }).kind).toBe('go');
  });

  it('another process on the same run directory does not count', () => {
    expect(judge(Array(9).fill(end('busy')), retries).kind).toBe('go');
  });
});

describe('the end of an attempt', () => {
  const common = { run: 'r', attempt: 1, updated_at: '' };
  const failure = (code: string): RunStatus => ({
    state: 'failed',
    ...common,
    step: 3,
    error: { code, message: 'it broke\nat line 3' },
  });
  const exit = (code: number | null, signal: string | null = null) => ({
    code,
    signal,
    lastLine: 'last words',
  });
  const left = { step: 2, directory: true };

  it.each<[string, Parameters<typeof classify>[0], RunStatus | undefined, Cause, string | null]>([
    ['completed', exit(0), { state: 'completed', ...common, step: 9 }, 'completed', null],
    [
      'completed, then killed',
      exit(null, 'SIGKILL'),
      { state: 'completed', ...common, step: 9 },
      'completed',
      null,
    ],
    [
      'preempted',
      exit(0),
      { state: 'preempted', ...common, step: 2, signal: 'SIGTERM', checkpoint: null },
      'preempted',
      'SIGTERM',
    ],
    ['out of memory', exit(1), { ...failure('oom'), state: 'oom' } as RunStatus, 'oom', 'it broke'],
    ['bad input', exit(2), failure('input'), 'invalid', 'it broke'],
    ['failure', exit(1), failure('torch'), 'crash', 'it broke'],
    ['killed', exit(null, 'SIGKILL'), undefined, 'killed', 'killed by SIGKILL'],
    ['refused flags', exit(2), undefined, 'invalid', 'last words'],
    ['died without a word', exit(1), undefined, 'crash', 'last words'],
    ['ended without a result', exit(0), undefined, 'crash', 'ended without a result'],
    ['nobody saw it', exit(null), undefined, 'lost', 'gone together with its runner'],
  ])('is told from exit and status: %s', (_, process, status, cause, message) => {
    expect(classify(process, status, left)).toMatchObject({ cause, message });
  });
});

describe('the history', () => {
  it('counts from the last fresh start or reset and survives a torn last line', () => {
    const file = within('cells', 'c', 'attempts.jsonl');
    const at = '2026-01-01T00:00:00Z';
    recordAttempt(file, { event: 'start', at, executor: 'local', fresh: true });
    recordAttempt(file, { event: 'end', at, ...end('completed', 5) });
    expect(readAttempts(file)).toMatchObject({ open: false, everCompleted: true, ends: [{ step: 5 }] });
    recordAttempt(file, { event: 'start', at, executor: 'local', fresh: true });
    appendFileSync(file, '{"event":"en');
    expect(readAttempts(file)).toMatchObject({ open: true, everCompleted: true, ends: [] });
    recordAttempt(file, { event: 'end', at, ...end('crash', 1) });
    expect(readAttempts(file).ends).toHaveLength(1);
    recordAttempt(file, { event: 'reset', at });
    expect(readAttempts(file).ends).toHaveLength(0);
  });
});
