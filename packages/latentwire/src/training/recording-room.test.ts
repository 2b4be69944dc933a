import { describe, expect, it } from 'vitest';
import { RecordingRoom } from './recording-room.js';

/** An allocator on a device of 80: 5 stay in use, a step has up to 30 more. */
function allocator(share?: number) {
  let [kept, recordings, emptied] = [0, 0, 0];
  const memory = {
    statistics: () => {
      const reserved = 5 + kept + recordings;
      return {
        ...{ allocated: 5, peakAllocated: 35, reserved, peakReserved: 0 },
        ...{ free: 80 - reserved, total: 80 },
      };
    },
    empty: () => {
      kept = 0;
      emptied++;
    },
  };
  const room = new RecordingRoom(memory, share);
  return {
    /** Plain runs until the allocator keeps as much. */
    run(all: number): void {
      kept = all;
      room.note();
    },
    /** A recording that takes as much; how often the allocator was emptied up to now. */
    record(more: number): number {
      room.make();
      recordings += more;
      room.note();
      return emptied;
    },
  };
}

describe('room for a recording', () => {
  it('is made only where a recording may not fit', () => {
    const { run, record } = allocator();
    run(30);
    expect(record(20)).toBe(0);
    // Up to 10 more on what the first one holds, with some gaps.
    run(44);
    expect(record(0)).toBe(1);
    run(40);
    expect(record(10)).toBe(1);
    // They hold what the largest step takes.
    run(44);
    expect(record(0)).toBe(1);
  });

  it('leaves alone what the run may not use', () => {
    const { run, record } = allocator(0.75);
    run(20);
    expect(record(10)).toBe(1);
    run(20);
    expect(record(10)).toBe(1);
  });

  it('counts only what recordings took', () => {
    const { run, record } = allocator();
    record(10);
    run(40);
    expect(record(0)).toBe(0);
    run(45);
    expect(record(20)).toBe(1);
  });
});
