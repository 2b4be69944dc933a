/** `latentwire decode`: a frozen model answers questions from latent messages. */
import { readFileSync } from 'node:fs';
import type { CliCommand } from './command.js';
import { base64Bytes, exactlyOne, inputFailure, readRows, settingOf, writeRows } from './exchange-input.js';

interface DecodeOptions {
  readonly run: string;
  readonly model?: string;
  readonly message?: string;
  readonly jsonl?: string;
  readonly question?: string;
  readonly out?: string;
  readonly maxNewTokens?: string;
}

export const decode: CliCommand = {
  name: 'decode',
  summary: 'let a frozen model answer a question from a latent message',
  settings: ['system'],
  declare: (command) =>
    command
      .requiredOption('--run <directory>', 'run of the trained wire: its config.json and checkpoint')
      .option(
        '--model <name>',
        'which model of the run answers: its name, its id, or where it is on this machine',
      )
      .option('--message <file>', 'the message, as latentwire encode wrote it')
      .option(
        '--jsonl <file>',
        'many: one JSON object per line with message (base64), question, optionally id',
      )
      .option(
        '--question <question>',
        'what is asked; with --jsonl, of messages without a question of their own',
      )
      .option('--out <file>', 'write the answers there as JSON lines')
      .option('--max-new-tokens <n>', 'longest answer, in tokens, when other than in training'),
  async run({ options, assignments, logger }) {
    const o = options as unknown as DecodeOptions;
    exactlyOne(o, ['message', 'jsonl']);
    const given = { question: o.question };
    const rows: Record<string, string>[] =
      o.jsonl === undefined
        ? [{ message: '', ...(o.question !== undefined && { question: o.question }) }]
        : readRows(o.jsonl, { message: 'text', question: 'optional', id: 'optional' }, given);
    const items = rows.map(({ message, question }, i) => ({
      message: o.message === undefined ? base64Bytes(message!, i, o.jsonl!) : messageFile(o.message),
      ...(question !== undefined && { question }),
    }));
    const { openReceiver } = await import('../training/index.js');
    using receiver = await openReceiver(o.run, {
      logger,
      ...(o.model !== undefined && { model: o.model }),
      changes: [
        ...assignments,
        ...settingOf('--max-new-tokens', 'evaluation.max_new_tokens', o.maxNewTokens),
      ],
    });
    const answers = (await receiver.answer(items)).map((answer, i) => ({
      ...(rows[i]!.id !== undefined && { id: rows[i]!.id }),
      answer,
      bytes: items[i]!.message.length,
    }));
    if (o.out !== undefined) writeRows(o.out, answers);
    return {
      json: { model: receiver.reader.name, wire: receiver.wire, answers },
      text: answers.map(({ answer }) => answer).join('\n'),
    };
  },
};

function messageFile(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw inputFailure(file, cause);
  }
}
