/** Damage to messages, as storage and networks do it; mutation i is a function of i. */
import { random } from '@latentwire/torch';

const root = new random.RandomRoot(11);

/**
 * Flipped bits, changed bytes, truncation, extension, bytes cut out, or the start of one message with the end of
 * another.
 */
export function mutateMessage(
  original: Uint8Array,
  others: readonly Uint8Array[],
  index: number,
): Uint8Array {
  const stream = root.stream(`mutation-${index}`);
  let drawn = 0;
  const below = (n: number): number => stream.uint32At(drawn++) % n;
  const bytes = original.slice();
  switch (index % 6) {
    case 0:
      for (let k = 1 + below(3); k > 0; k--) bytes[below(bytes.length)]! ^= 1 << below(8);
      return bytes;
    case 1:
      for (let k = 1 + below(4); k > 0; k--) bytes[below(Math.min(bytes.length, 12))] = below(256);
      return bytes;
    case 2:
      return bytes.subarray(0, below(bytes.length));
    case 3:
      return Buffer.concat([bytes, Uint8Array.from({ length: 1 + below(9) }, () => below(256))]);
    case 4: {
      const at = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(4))]);
    }
    default: {
      const other = others[below(others.length)]!;
      return Buffer.concat([bytes.subarray(0, below(bytes.length)), other.subarray(below(other.length))]);
    }
  }
}
