/**
 * logs/tensorboard/: the scalars of a run as TensorBoard reads them. Records are those of TensorFlow's TFRecord: length
 * (uint64), masked CRC-32C of it, data, masked CRC-32C of the data.
 *
 * Each step stands in the files once, whatever was interrupted: a new attempt cuts earlier files behind the step it
 * goes on from (a torn last record too), and says with a session start that a TensorBoard that is already open should
 * drop what it had read from there on. A disk that is full costs points, never the run.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Clock, systemClock } from '../clock.js';
import { maskedCrc32c } from './crc32c.js';
import { scalarEvent, startEvent, stepOf, versionEvent } from './event.js';

const HEADER_BYTES = 12;
const FOOTER_BYTES = 4;

export class EventWriter {
  readonly path: string;
  readonly #clock: Clock;
  #fd: number | undefined;

  /** @param lastStep the step that this attempt goes on from; later ones of earlier attempts are removed */
  constructor(folder: string, lastStep: number, clock: Clock = systemClock) {
    this.#clock = clock;
    fs.mkdirSync(folder, { recursive: true });
    for (const name of fs.readdirSync(folder).filter(isEventFile))
      cutBehind(path.join(folder, name), lastStep);
    this.path = newFile(folder, clock);
    this.#fd = fs.openSync(this.path, 'ax');
    this.#append(versionEvent(this.#now()));
    this.#append(startEvent(this.#now(), lastStep + 1));
  }

  /** Adds the finite numbers of one step, under their names. */
  append(step: number, values: Readonly<Record<string, unknown>>): void {
    const scalars: Record<string, number> = {};
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === 'number') scalars[name] = value;
    }
    this.#append(scalarEvent({ wallTime: this.#now(), step, scalars }));
  }

  close(): void {
    if (this.#fd === undefined) return;
    fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #now(): number {
    return this.#clock.now().getTime() / 1000;
  }

  #append(event: Buffer): void {
    if (this.#fd === undefined) return;
    try {
      const bytes = encodeRecord(event);
      if (fs.writeSync(this.#fd, bytes) < bytes.length) this.close();
    } catch {
      // A torn record would hide all later ones: no more points in this attempt.
      this.close();
    }
  }
}

/** One record of the format. */
export function encodeRecord(data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + data.length + FOOTER_BYTES);
  bytes.writeBigUInt64LE(BigInt(data.length), 0);
  bytes.writeUInt32LE(maskedCrc32c(bytes.subarray(0, 8)), 8);
  bytes.set(data, HEADER_BYTES);
  bytes.writeUInt32LE(maskedCrc32c(data), HEADER_BYTES + data.length);
  return bytes;
}

/** Data of the whole records at the beginning of a file, with where each ends. */
export function decodeRecords(bytes: Buffer): { readonly data: Buffer; readonly end: number }[] {
  const records: { data: Buffer; end: number }[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const end = at + HEADER_BYTES + length + FOOTER_BYTES;
    if (bytes.readUInt32LE(at + 8) !== maskedCrc32c(bytes.subarray(at, at + 8)) || end > bytes.length) break;
    const data = bytes.subarray(at + HEADER_BYTES, end - FOOTER_BYTES);
    if (bytes.readUInt32LE(end - FOOTER_BYTES) !== maskedCrc32c(data)) break;
    records.push({ data, end });
    at = end;
  }
  return records;
}

function cutBehind(file: string, lastStep: number): void {
  const bytes = fs.readFileSync(file);
  let keep = 0;
  for (const { data, end } of decodeRecords(bytes)) {
    if ((stepOf(data) ?? 0) > lastStep + 1 || isScalarBeyond(data, lastStep)) break;
    keep = end;
  }
  if (keep < bytes.length) fs.truncateSync(file, keep);
}

/** A session start at the next step may stay; a point of it may not. */
function isScalarBeyond(event: Buffer, lastStep: number): boolean {
  return (stepOf(event) ?? 0) > lastStep && !event.equals(startOf(event));
}

function startOf(event: Buffer): Buffer {
  return startEvent(event.readDoubleLE(1), stepOf(event)!);
}

function isEventFile(name: string): boolean {
  return name.startsWith('events.out.tfevents.');
}

/** Readers take files in the order of their names. */
function newFile(folder: string, clock: Clock): string {
  const latest = fs.readdirSync(folder).filter(isEventFile).sort().at(-1);
  const seconds = Math.floor(clock.now().getTime() / 1000);
  const after = latest === undefined ? 0 : Number(latest.split('.')[3]) + 1;
  return path.join(folder, `events.out.tfevents.${Math.max(seconds, after)}.${os.hostname()}`);
}
