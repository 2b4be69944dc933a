/**
 * TensorBoard events as protocol buffers, written by hand: three messages with a handful of fields
 * (tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto).
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly wallTime: number;
  readonly step: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** The first record of every file. */
export function versionEvent(wallTime: number): Buffer {
  return Buffer.concat([double(1, wallTime), text(3, 'brain.Event:2')]);
}

/** Says that a session starts at `step`: readers drop what an earlier one wrote from there on. */
export function startEvent(wallTime: number, step: number): Buffer {
  const SESSION_START = 1;
  return Buffer.concat([double(1, wallTime), integer(2, step), message(7, integer(1, SESSION_START))]);
}

export function scalarEvent({ wallTime, step, scalars }: ScalarEvent): Buffer {
  const values = Object.entries(scalars).map(([tag, value]) =>
    message(1, Buffer.concat([text(1, tag), float(2, value)])),
  );
  return Buffer.concat([double(1, wallTime), integer(2, step), message(5, Buffer.concat(values))]);
}

/** Field 2 of an event; undefined when it has none (the version). */
export function stepOf(event: Uint8Array): number | undefined {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = event[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < event.length) {
    const key = varint();
    const kind = key & 7;
    if (key >> 3 === 2 && kind === VARINT) return varint();
    if (kind === VARINT) varint();
    else if (kind === FIXED64) at += 8;
    else if (kind === FIXED32) at += 4;
    else {
      const length = varint();
      at += length;
    }
  }
  return undefined;
}

function varintBytes(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest];
}

function key(field: number, kind: number): number[] {
  return varintBytes(field * 8 + kind);
}

function integer(field: number, value: number): Buffer {
  return Buffer.from([...key(field, VARINT), ...varintBytes(value)]);
}

function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([Buffer.from(key(field, FIXED64)), bytes]);
}

function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([Buffer.from(key(field, FIXED32)), bytes]);
}

function message(field: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([...key(field, BYTES), ...varintBytes(body.length)]), body]);
}

function text(field: number, value: string): Buffer {
  return message(field, Buffer.from(value, 'utf8'));
}
