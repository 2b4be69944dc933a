/**
 * Memory for recordings where torch's allocator keeps what plain runs left. Giving that back costs several steps, until all
 * of it was taken from the driver again, so it is done only where a recording may not fit otherwise: it needs at most what
 * the largest step so far had in use, less what the recordings before it hold, which they all share. Trials of a batch size
 * give back all, since they measure what a run needs.
 */
import * as t from '@latentwire/torch';

/** Of what a recording is thought to need: its blocks do not fit those of others without gaps. */
const ROOM_FACTOR = 1.25;

export class RecordingRoom {
  /** Bytes that recordings took from the device. */
  #held = 0;
  /** Bytes that the allocator held when the recording under way began. */
  #before: number | null = null;

  /** @param share of the device's memory that may be used; default: all */
  constructor(
    private readonly memory: RecordingMemory,
    private readonly share = 1,
  ) {}

  /** Before a recording. */
  make(): void {
    const now = this.memory.statistics();
    if (now === null) return;
    const needed = ROOM_FACTOR * Math.max(0, now.peakAllocated - now.allocated - this.#held);
    const free = now.free - (1 - this.share) * now.total;
    if (free < needed) this.memory.empty();
    this.#before = (free < needed ? this.memory.statistics()! : now).reserved;
  }

  /** After each run. */
  note(): void {
    if (this.#before === null) return;
    this.#held += Math.max(0, this.memory.statistics()!.reserved - this.#before);
    this.#before = null;
  }
}

/** The allocator, as far as recordings need it. */
export interface RecordingMemory {
  /** Null: it cannot be asked, nor emptied. */
  statistics(): t.MemoryStatistics | null;
  empty(): void;
}

export function recordingMemory(device: t.Device): RecordingMemory {
  const statistics = (): t.MemoryStatistics | null => {
    try {
      return t.memoryStatistics(device);
    } catch (error) {
      // Before torch 2.9.
      if (!(error instanceof t.TorchError)) throw error;
      return null;
    }
  };
  return { statistics, empty: () => t.emptyCache(device) };
}
