import { describe, expect, it } from 'vitest';
import { Interrupted, Interruption, type SignalNotice } from './interruption.js';

describe('Interruption', () => {
  it('counts the grace time from the moment the signal came, not from when it was seen', () => {
    let notice: SignalNotice | undefined;
    let now = 1000;
    const interruption = new Interruption(
      () => notice,
      120,
      () => now,
    );
    expect([interruption.requested(), interruption.secondsSince(), interruption.secondsLeft()]).toEqual([
      false,
      0,
      120,
    ]);
    interruption.check();
    notice = { name: 'SIGTERM', monotonicMs: 3000 };
    now = 13_000;
    expect(interruption.signal).toBe('SIGTERM');
    expect([interruption.secondsSince(), interruption.secondsLeft()]).toEqual([10, 110]);
    expect(() => interruption.check()).toThrow(Interrupted);
  });

  it('stays requested, with its first signal', () => {
    let notice: SignalNotice | undefined = { name: 'SIGUSR1', monotonicMs: 0 };
    const interruption = new Interruption(() => notice, 1);
    expect(interruption.requested()).toBe(true);
    notice = undefined;
    expect(interruption.signal).toBe('SIGUSR1');
    expect(Interruption.never().requested()).toBe(false);
  });
});
