/**
 * `latentwire encode`: texts into latent messages, by the encoder of a trained wire. The other end is
 * `latentwire decode`; between them there is nothing but the bytes.
 */
import { writeFileAtomic } from '../telemetry/index.js';
import type { CliCommand } from './command.js';
import { exactlyOne, inputText, readRows, settingOf, writeRows } from './exchange-input.js';

interface EncodeOptions {
  readonly run: string;
  readonly text?: string;
  readonly file?: string;
  readonly stdin?: true;
  readonly jsonl?: string;
  readonly question?: string;
  readonly out: string;
  readonly encoderId?: string;
  readonly wireBits?: string;
  readonly wireGroup?: string;
}

export const encode: CliCommand = {
  name: 'encode',
  summary: 'turn a text into a latent message with a trained wire, for latentwire decode on any machine',
  settings: ['system'],
  declare: (command) =>
    command
      .requiredOption('--run <directory>', 'run of the trained wire: its config.json and checkpoint')
      .option('--text <text>', 'the text')
      .option('--file <file>', 'a UTF-8 file with the text')
      .option('--stdin', 'read the text from standard input')
      .option(
        '--jsonl <file>',
        'many texts: one JSON object per line with text, and optionally id and question',
      )
      .option('--question <question>', 'for wires whose latents carry the question (--encode prompt)')
      .requiredOption(
        '--out <file>',
        'where the message goes; with --jsonl, lines with id and message (base64)',
      )
      .option(
        '--encoder-id <id>',
        'where the encoder model is on this machine, when not where it was in training',
      )
      .option('--wire-bits <n>', 'bits per number, when other than in training')
      .option('--wire-group <n>', 'numbers that share a step, when other than in training; 0: no scales'),
  async run({ options, assignments, logger }) {
    const o = options as unknown as EncodeOptions;
    exactlyOne(o, ['text', 'file', 'stdin', 'jsonl']);
    const rows =
      o.jsonl === undefined
        ? [{ text: await inputText(o), ...(o.question !== undefined && { question: o.question }) }]
        : readRows(o.jsonl, { text: 'text', question: 'optional', id: 'optional' }, { question: o.question });
    const { openSender } = await import('../training/index.js');
    const { textBytes } = await import('../wire/codec/index.js');
    using sender = await openSender(o.run, {
      logger,
      changes: [
        ...assignments,
        ...settingOf('--encoder-id', 'encoder.id', o.encoderId),
        ...settingOf('--wire-bits', 'wire.bits', o.wireBits),
        ...settingOf('--wire-group', 'wire.group', o.wireGroup),
      ],
    });
    const messages = await sender.encode(rows as { text: string; question?: string }[]);
    const cut = messages.filter(({ truncated }) => truncated).length;
    if (cut > 0) logger.warn(`the encoder could not read the end of ${cut} of ${messages.length} texts`);
    const sizes = rows.map(({ text }) => textBytes(text!));
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    const total = {
      messages: messages.length,
      bytes: sum(messages.map(({ bytes }) => bytes.length)),
      utf8_bytes: sum(sizes.map(({ utf8 }) => utf8)),
      zlib_bytes: sum(sizes.map(({ zlib }) => zlib)),
      deflate_bytes: sum(sizes.map(({ deflate }) => deflate)),
      brotli_bytes: sum(sizes.map(({ brotli }) => brotli)),
    };
    if (o.jsonl === undefined) writeFileAtomic(o.out, messages[0]!.bytes);
    else {
      writeRows(
        o.out,
        messages.map(({ bytes }, i) => ({
          ...(rows[i]!.id !== undefined && { id: rows[i]!.id }),
          message: Buffer.from(bytes).toString('base64'),
          bytes: bytes.length,
        })),
      );
    }
    const { bits, group } = sender.quantisation;
    return {
      json: { out: o.out, wire: sender.wire, bits, group, truncated: cut, ...total },
      text: [
        `${o.out}: ${total.bytes} bytes${messages.length > 1 ? ` in ${messages.length} messages` : ''}, wire ${sender.wire}`,
        `the text: ${total.utf8_bytes} bytes, zlib ${total.zlib_bytes}, brotli ${total.brotli_bytes}`,
      ].join('\n'),
    };
  },
};
