/** `latentwire checklist`: the production checklist, every line of it tried on this machine. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { LatentWireError } from '../errors.js';
import type { CliCommand } from './command.js';

interface ChecklistFlags {
  readonly section?: string;
  readonly out: string;
  readonly device: string;
  readonly verbose?: true;
  readonly slurm?: true;
  readonly slurmProfile: string;
  readonly preemptWith?: string;
}

export const checklist: CliCommand = {
  name: 'checklist',
  summary: 'try every line of the production checklist on this machine, and show the evidence',
  declare: (command) =>
    command
      .option('--section <n>', 'only these sections, with commas: 1 to 8')
      .option('--verbose', 'show every line and every claim, not only the table')
      .option(
        '--out <dir>',
        'where the evidence goes; emptied first when it is an earlier checklist',
        'runs/checklist',
      )
      .option('--device <name>', 'auto, cpu, cuda or cuda:N', 'auto')
      .option('--slurm', 'submit a real job to Slurm, put it back in the queue and see it end (section 8)')
      .option('--slurm-profile <name>', 'cluster profile of that job', 'local-test')
      .option('--preempt-with <partition>', 'and preempt it with a job of this partition'),
  async run({ options, logger }) {
    const flags = options as unknown as ChecklistFlags;
    const { checklistTable, claimsTable, linesText, prepareFolder, runChecklist, sections } = await import(
      '../checklist/index.js'
    );
    const { resolveDevice } = await import('../models/index.js');
    const chosen = chooseSections(flags.section, sections);
    const folder = path.resolve(flags.out);
    prepareFolder(folder);
    const stop = new AbortController();
    const interrupt = (): void =>
      stop.abort(new LatentWireError('the checklist was interrupted', { code: 'state' }));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
    try {
      const report = await runChecklist(chosen, {
        program: [process.execPath, fileURLToPath(new URL('../../bin/latentwire.js', import.meta.url))],
        checkout: fileURLToPath(new URL('../../../../', import.meta.url)),
        ...{ folder, logger, stop: stop.signal, device: resolveDevice(flags.device) },
        ...(flags.slurm === true && {
          slurm: {
            profile: flags.slurmProfile,
            ...(flags.preemptWith !== undefined && { preemptWith: flags.preemptWith }),
          },
        }),
      });
      const tables = [checklistTable(report, 'terminal')];
      if (flags.verbose === true) tables.unshift(linesText(report), claimsTable(report, 'terminal'));
      const failed = report.sections.filter(({ status }) => status === 'fail').map(({ number }) => number);
      const verdict =
        failed.length === 0
          ? `ALL SYSTEMS GO on ${report.device}`
          : `NOT READY: section ${failed.join(', ')}`;
      return {
        json: { ...report },
        text: `${tables.join('\n\n')}\n\n${verdict} (${report.seconds.toFixed(0)} s, evidence in ${flags.out})`,
        exitCode: report.ok ? 0 : 1,
      };
    } finally {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, interrupt);
    }
  },
};

function chooseSections<T extends { readonly number: number }>(
  wish: string | undefined,
  all: readonly T[],
): T[] {
  if (wish === undefined) return [...all];
  const chosen = wish.split(',').map((text) => {
    const found = all.find(({ number }) => String(number) === text.trim());
    if (found !== undefined) return found;
    throw new LatentWireError(`--section: expected 1 to ${all.length}, got ${JSON.stringify(text)}`, {
      code: 'input',
    });
  });
  return [...new Set(chosen)];
}
