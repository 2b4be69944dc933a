/**
 * History from the job completion file (JobCompType=jobcomp/filetxt), for sites without accounting: one line per run
 * of a job, `Key=value` with the name unquoted, so the name is what stands between two known keys.
 */
import { readFile } from 'node:fs/promises';
import { SlurmError } from '../errors.js';
import { type JobRecord, jobRecord } from './job-record.js';
import { parseJobState } from './job-state.js';
import { parseExit, parseTime, present } from './slurm-values.js';

const KEYS = [
  'JobId',
  'UserId',
  'GroupId',
  'Name',
  'JobState',
  'Partition',
  'TimeLimit',
  'StartTime',
  'EndTime',
  'NodeList',
  'NodeCnt',
  'ProcCnt',
  'WorkDir',
  'ReservationName',
  'Tres',
  'Account',
  'QOS',
  'WcKey',
  'Cluster',
  'SubmitTime',
  'EligibleTime',
  'ArrayJobId',
  'ArrayTaskId',
  'DerivedExitCode',
  'ExitCode',
];
const KEY = new RegExp(`(?:^| )(${KEYS.join('|')})=`, 'g');

/** Runs of jobs in file order. @throws SlurmError `no-accounting` when the file cannot be read */
export async function readJobcomp(file: string, ids?: readonly string[]): Promise<JobRecord[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new SlurmError(`cannot read the job completion file ${file}: ${(cause as Error).message}`, {
      kind: 'no-accounting',
      cause,
    });
  }
  const wanted = ids && new Set(ids);
  return parseJobcomp(text).filter(
    (job) => wanted === undefined || wanted.has(job.id) || wanted.has(job.array?.jobId ?? job.id),
  );
}

/** A last line that is still being written is left out. */
export function parseJobcomp(text: string): JobRecord[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map(fieldsOf)
    .filter((fields) => fields.JobId !== undefined && fields.JobState !== undefined)
    .map((fields) => {
      const minutes = Number(fields.TimeLimit);
      const arrayJob = present(fields.ArrayJobId);
      const taskId = Number(fields.ArrayTaskId);
      const isTask = arrayJob !== undefined && Number.isInteger(taskId);
      return jobRecord({
        id: isTask ? `${arrayJob}_${taskId}` : fields.JobId!,
        array: isTask ? { jobId: arrayJob, taskId } : undefined,
        name: fields.Name ?? '',
        user: present(fields.UserId?.replace(/\(\d+\)$/, '')),
        partition: present(fields.Partition),
        account: present(fields.Account),
        state: parseJobState(fields.JobState),
        nodes: present(fields.NodeList),
        submitTime: parseTime(fields.SubmitTime),
        startTime: parseTime(fields.StartTime),
        endTime: parseTime(fields.EndTime),
        timeLimitSeconds: Number.isFinite(minutes) ? minutes * 60 : undefined,
        workDir: present(fields.WorkDir),
        ...parseExit(fields.ExitCode),
      });
    });
}

/** The first place of each key counts, the last one for those after the name: a name may look like keys. */
function fieldsOf(line: string): Record<string, string> {
  const found = [...line.matchAll(KEY)];
  const fields: Record<string, string> = {};
  const first = (key: string) => found.find((match) => match[1] === key);
  const last = (key: string) => found.filter((match) => match[1] === key).at(-1);
  const name = first('Name');
  const state = last('JobState');
  const chosen = found.filter((match) => {
    const key = match[1]!;
    if (name !== undefined && match.index <= name.index) return match === first(key);
    return match === last(key) && (state === undefined || match.index >= state.index);
  });
  chosen.forEach((match, index) => {
    const end = chosen[index + 1]?.index ?? line.length;
    fields[match[1]!] = line.slice(match.index + match[0].length, end).trimEnd();
  });
  return fields;
}
