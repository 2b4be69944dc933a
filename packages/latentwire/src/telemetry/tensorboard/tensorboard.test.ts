import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { crc32c, maskedCrc32c } from './crc32c.js';
import { stepOf } from './event.js';
import { decodeRecords, EventWriter, encodeRecord } from './index.js';

const within = temporaryFolder();
const clock = { now: () => new Date(1_700_000_000_000), monotonicMs: () => 0 };

/** Steps of all points in a folder, in the order of a reader. */
function points(folder: string): number[] {
  return fs
    .readdirSync(folder)
    .sort()
    .flatMap((name) => decodeRecords(fs.readFileSync(path.join(folder, name))))
    .filter(({ data }) => data.includes('loss'))
    .map(({ data }) => stepOf(data)!);
}

describe('crc32c', () => {
  it('gives the check values of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(maskedCrc32c(Buffer.alloc(32))).toBe(
      (((0x8a9136aa >>> 15) | (0x8a9136aa << 17)) + 0xa282ead8) >>> 0,
    );
  });
});

describe('EventWriter', () => {
  it('frames records as TensorFlow does', () => {
    // tf.io.TFRecordWriter of b'abc'
    expect(encodeRecord(Buffer.from('abc')).subarray(0, 8).readBigUInt64LE()).toBe(3n);
    expect(decodeRecords(encodeRecord(Buffer.from('abc')))[0]!.data.toString()).toBe('abc');
  });

  it('holds each step once after interruptions, whatever came after the checkpoint', () => {
    const folder = within('requeued');
    for (const [from, to] of [
      [0, 5],
      [3, 9],
      [9, 9],
      [7, 12],
      [12, 15],
    ] as const) {
      const writer = new EventWriter(folder, from, clock);
      for (let step = from + 1; step <= to; step++) writer.append(step, { loss: 1 / step, stage: 'answers' });
      writer.close();
    }
    expect(points(folder)).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
  });

  it('cuts a torn record away, wherever the process died', () => {
    const folder = within('torn');
    const writer = new EventWriter(folder, 0, clock);
    for (let step = 1; step <= 4; step++) writer.append(step, { loss: step });
    writer.close();
    const whole = fs.readFileSync(writer.path);
    const ends = decodeRecords(whole).map(({ end }) => end);
    for (let length = ends.at(-2)! + 1; length < whole.length; length += 7) {
      fs.writeFileSync(writer.path, whole.subarray(0, length));
      const next = new EventWriter(folder, 4, clock);
      next.append(5, { loss: 5 });
      next.close();
      expect(points(folder)).toEqual([1, 2, 3, 5]);
      fs.rmSync(next.path);
    }
  });
});
