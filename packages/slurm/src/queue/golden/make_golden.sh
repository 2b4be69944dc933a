#!/bin/bash
# Records what Slurm's commands print, from a cluster in SLURM_CONF (22.05.8 with slurmdbd and jobcomp/filetxt) that
# holds: jobs with hostile names, an array with one task requeued, a running job in the grace time of a preemption, a
# pending array, a cancelled job. Usage: make_golden.sh FOLDER JOBCOMP_FILE
set -eu
export LC_ALL=C SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0
cd "$1"
columns='%i^%F^%K^%T^%r^%u^%P^%a^%N^%V^%S^%e^%l^%Z^%k^%j'
squeue --noheader --array --states=all --format=$'\x1e'"${columns//^/$'\x1f'}" > squeue.txt
squeue --json | python3 -c '
import json, sys
document = json.load(sys.stdin)
for job in document["jobs"]:
    job.pop("job_resources", None)
json.dump({"jobs": document["jobs"]}, sys.stdout)' > squeue-22.05.json
scontrol show job > scontrol-job.txt
scontrol show partition preempt > scontrol-partition.txt
sacct --noheader --parsable2 --allocations --duplicates --delimiter=$'\x1f' --starttime=now-1hours \
  --format=JobID,State,ExitCode,User,Partition,Account,NodeList,Submit,Start,End,Timelimit,Reason,WorkDir,JobName > sacct.txt
cp "$2" jobcomp.txt
# sacct-ends.txt: the same columns, folder and node names made anonymous, of jobs that ended in every way: 24 well, 25
# with 3, 26 cancelled, 27 at its limit, 28 requeued, 34 by a signal, 52 with its node, 53 preempted; arrays: 29 with a task
# requeued, 35 cancelled before it started, 38 cancelled in part (_1 while held, _3 while waiting), 55 waiting.
