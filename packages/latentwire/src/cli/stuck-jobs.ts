/** Lines about jobs that will not start by waiting, for below the tables of a queue. */

export interface WaitingJob {
  readonly id: string | null;
  readonly state: string;
  readonly reason?: string | null;
}

/** One line for each reason. */
export async function stuckLines(jobs: readonly WaitingJob[]): Promise<string[]> {
  const { whyStuck } = await import('../experiments/slurm/index.js');
  const lines = new Map<string, string[]>();
  for (const { id, state, reason } of jobs) {
    const why = state === 'PENDING' ? whyStuck(reason) : undefined;
    if (id === null || why === undefined) continue;
    const line = `not start by waiting (${reason}): ${why}`;
    lines.set(line, [...(lines.get(line) ?? []), id]);
  }
  return [...lines].map(([line, [first, ...rest]]) =>
    rest.length === 0 ? `${first} will ${line}` : `${first} and ${rest.length} more will ${line}`,
  );
}
