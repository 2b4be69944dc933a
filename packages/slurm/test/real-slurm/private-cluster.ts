/**
 * A real Slurm cluster on this one machine, all of it inside a temporary folder: munge, controller and one slurmd for
 * each node, with invented CPUs, memory and GPUs. Starts in under a second and takes about 12 MB. Several can live
 * side by side: ports and node names are their own. The daemons die with the process that started them.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { daemonPath } from './install.js';
import { type AccountingPorts, accountingLines, startAccounting } from './private-accounting.js';

const execute = promisify(execFile);

export interface ClusterOptions {
  /** Nodes; default 2, each with 32 CPUs, 4 GPUs and 503 GiB, none of them real. */
  readonly nodes?: number;
  /** Seconds a preempted job has; rounded up by Slurm to a multiple of `killWait` + 5. */
  readonly graceSeconds?: number;
  /** Seconds between SIGTERM and SIGKILL. */
  readonly killWait?: number;
  /** Whether preemption sends the signal of --signal. Most sites do not. */
  readonly sendUserSignal?: boolean;
  /** Seconds for which ended jobs stay in Slurm's memory. */
  readonly minJobAge?: number;
  /** Whether it has accounting (slurmdbd), with associations, limits and QOS enforced; default not. */
  readonly accounting?: boolean;
  /** What decides who must give way; default the partition. */
  readonly preemptType?: 'partition_prio' | 'qos';
  /** Further lines of slurm.conf. */
  readonly extra?: readonly string[];
}

export interface PrivateCluster {
  readonly folder: string;
  readonly nodes: readonly string[];
  /** Environment in which Slurm's commands find this cluster. */
  readonly env: NodeJS.ProcessEnv;
  readonly proctrack: 'cgroup' | 'linuxproc';
  /** stdout of a Slurm command. */
  run(command: string, ...args: readonly string[]): Promise<string>;
  /** Processes of jobs that still run. */
  leftOver(): number[];
  stopController(): Promise<void>;
  startController(): Promise<void>;
  /** slurmdbd alone; the controller goes on. */
  stopAccounting(): Promise<void>;
  /** Ends all jobs and daemons and removes the folder. */
  stop(): Promise<void>;
}

/** Starts a cluster; needs `provideSlurm()` to have said yes. */
export async function startCluster(options: ClusterOptions = {}): Promise<PrivateCluster> {
  const folder = mkdtempSync(path.join(shortTemporaryFolder(), 'lw-slurm-'));
  chmodSync(folder, 0o755); // munge insists that everybody may reach its socket
  const [database, daemon, ...ports] = await freePorts(3 + (options.nodes ?? 2));
  const cluster = new Cluster(folder, options, ports, { database: database!, daemon: daemon! });
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop().catch(() => {});
    throw error;
  }
}

class Cluster implements PrivateCluster {
  readonly nodes: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly proctrack = canUseFreezer() ? 'cgroup' : 'linuxproc';
  private readonly daemons = new Map<string, ChildProcess>();
  private readonly killOnExit = () => {
    for (const daemon of this.daemons.values()) daemon.kill('SIGKILL');
  };

  constructor(
    readonly folder: string,
    private readonly options: ClusterOptions,
    private readonly ports: readonly number[],
    private readonly accountingPorts: AccountingPorts,
  ) {
    // Node names also name control groups on this machine, so they must be nobody else's.
    const prefix = `t${randomBytes(3).toString('hex')}n`;
    this.nodes = Array.from({ length: options.nodes ?? 2 }, (_, index) => `${prefix}${index + 1}`);
    this.env = { ...process.env, PATH: daemonPath, SLURM_CONF: path.join(folder, 'slurm.conf') };
    process.once('exit', this.killOnExit);
  }

  async start(): Promise<void> {
    this.writeConfiguration();
    this.launch('munged', [
      '-F',
      '-S',
      this.in('munge/socket'),
      `--key-file=${this.in('munge/key')}`,
      `--log-file=${this.in('log/munged.log')}`,
      `--pid-file=${this.in('munge/pid')}`,
      `--seed-file=${this.in('munge/seed')}`,
    ]);
    await this.until('munge', async () => {
      await execute('munge', ['-n', '-S', this.in('munge/socket'), '-o', '/dev/null'], { env: this.env });
      return true;
    });
    if (this.options.accounting === true) {
      const { folder, env, accountingPorts: ports } = this;
      await startAccounting(
        { folder, env, ports },
        (program, args) => this.launch(program, args),
        (what, isUp) => this.until(what, isUp),
      );
    }
    await this.startController();
    for (const node of this.nodes) {
      mkdirSync(this.in(`spool/${node}`), { recursive: true });
      this.launch('slurmd', ['-D', '-N', node, '-f', this.in('slurm.conf')], `slurmd-${node}`);
    }
    await this.until('nodes', async () => {
      const states = await this.run('sinfo', '--noheader', '--Node', '--partition=normal', '--format=%t');
      return states.split('\n').filter((state) => state.trim() === 'idle').length === this.nodes.length;
    });
  }

  async startController(): Promise<void> {
    this.launch('slurmctld', ['-D', '-f', this.in('slurm.conf')]);
    await this.until('controller', async () => (await this.run('scontrol', 'ping')).includes('is UP'));
  }

  async stopController(): Promise<void> {
    await this.end('slurmctld', 'SIGTERM');
  }

  async stopAccounting(): Promise<void> {
    await this.end('slurmdbd', 'SIGTERM');
  }

  async run(command: string, ...args: readonly string[]): Promise<string> {
    const { stdout } = await execute(command, args, { env: this.env, timeout: 30_000 });
    return stdout;
  }

  async stop(): Promise<void> {
    process.removeListener('exit', this.killOnExit);
    await this.run('scancel', '--full', '--signal=KILL', '--state=RUNNING').catch(() => {});
    await Promise.all(this.nodes.map((node) => this.end(`slurmd-${node}`, 'SIGTERM')));
    // The controller's own shutdown takes 5 s and saves what nobody will read.
    for (const daemon of ['slurmctld', 'slurmdbd', 'mariadbd', 'munged']) await this.end(daemon, 'SIGKILL');
    for (const pid of this.leftOver()) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself meanwhile.
      }
    }
    if (this.proctrack === 'cgroup')
      for (const node of this.nodes) removeControlGroup(`${FREEZER}/slurm_${node}`);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  /** Processes that carry this cluster's configuration in their environment: step daemons and what jobs started. */
  leftOver(): number[] {
    const mark = `SLURM_CONF=${this.in('slurm.conf')}`;
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((pid) => {
        try {
          const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
          return (
            environment.includes(mark) && environment.some((variable) => variable.startsWith('SLURM_JOB_ID='))
          );
        } catch {
          return false;
        }
      })
      .map(Number);
  }

  private in(name: string): string {
    return path.join(this.folder, name);
  }

  private launch(program: string, args: readonly string[], name = program): void {
    const log = openSync(this.in(`log/${name}.out`), 'a');
    const daemon = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
      env: this.env,
      stdio: ['ignore', log, log],
      detached: true,
    });
    this.daemons.set(name, daemon);
  }

  private async end(name: string, signal: NodeJS.Signals): Promise<void> {
    const daemon = this.daemons.get(name);
    this.daemons.delete(name);
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill(signal);
    const timer = setTimeout(() => daemon.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(timer);
  }

  private async until(what: string, isUp: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (;;) {
      if (await isUp().catch(() => false)) return;
      if (Date.now() > deadline) throw new Error(`${what} did not come up:\n${this.logs()}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private logs(): string {
    return readdirSync(this.in('log'))
      .map((file) => `${file}: ${readFileSync(this.in(`log/${file}`), 'utf8').slice(-500)}`)
      .join('\n');
  }

  private writeConfiguration(): void {
    for (const name of ['munge', 'state', 'spool', 'log', 'dev']) mkdirSync(this.in(name), { mode: 0o755 });
    writeFileSync(this.in('munge/key'), randomBytes(1024), { mode: 0o600 });
    // slurmd drops GPUs without a device file; each of these is the null device.
    for (let gpu = 0; gpu < 4; gpu++) symlinkSync('/dev/null', this.in(`dev/nvidia${gpu}`));
    writeFileSync(this.in('gres.conf'), `Name=gpu File=${this.in('dev/nvidia[0-3]')}\n`);
    writeFileSync(this.in('cgroup.conf'), 'CgroupPlugin=cgroup/v1\nCgroupAutomount=yes\n');
    writeFileSync(this.in('slurm.conf'), `${this.configuration().join('\n')}\n`);
  }

  private configuration(): string[] {
    const {
      graceSeconds = 10,
      killWait = 5,
      sendUserSignal = true,
      minJobAge = 3600,
      accounting = false,
      preemptType = 'partition_prio',
      extra = [],
    } = this.options;
    const host = os.hostname().split('.')[0]!;
    const user = os.userInfo().username;
    const [controller, ...slurmd] = this.ports;
    const common = 'Nodes=ALL DefMemPerCPU=1024 MaxTime=INFINITE State=UP';
    return [
      'ClusterName=testcluster',
      ...[`SlurmctldHost=${host}(127.0.0.1)`, `SlurmctldPort=${controller}`, `SlurmdPort=${slurmd[0]}`],
      ...[`SlurmUser=${user}`, `SlurmdUser=${user}`, 'AuthType=auth/munge', 'CredType=cred/munge'],
      // cred_expire is also how long a requeued job waits before it may start again (default 120 s).
      `AuthInfo=socket=${this.in('munge/socket')},cred_expire=5`,
      ...[`StateSaveLocation=${this.in('state')}`, `SlurmdSpoolDir=${this.in('spool/%n')}`],
      ...[`SlurmctldPidFile=${this.in('slurmctld.pid')}`, `SlurmdPidFile=${this.in('slurmd-%n.pid')}`],
      ...[
        `SlurmctldLogFile=${this.in('log/slurmctld.log')}`,
        `SlurmdLogFile=${this.in('log/slurmd-%n.log')}`,
      ],
      ...['MailProg=/bin/true', `ProctrackType=proctrack/${this.proctrack}`, 'TaskPlugin=task/none'],
      'JobAcctGatherType=jobacct_gather/none',
      ...(accounting
        ? accountingLines(this.folder, this.accountingPorts)
        : ['AccountingStorageType=accounting_storage/none']),
      ...['SwitchType=switch/none', 'MpiDefault=none', 'JobCompType=jobcomp/filetxt'],
      `JobCompLoc=${this.in('log/jobcomp.log')}`,
      // The nodes' sizes are invented.
      'SlurmdParameters=config_overrides',
      ...(sendUserSignal ? ['SlurmctldParameters=preempt_send_user_signal'] : []),
      ...['ReturnToService=2', 'SelectType=select/cons_tres', 'SelectTypeParameters=CR_Core_Memory'],
      ...['GresTypes=gpu', 'SchedulerType=sched/backfill'],
      'SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=100000',
      ...[
        `KillWait=${killWait}`,
        'MessageTimeout=5',
        'OverTimeLimit=0',
        'InactiveLimit=0',
        `MinJobAge=${minJobAge}`,
      ],
      ...['JobRequeue=1', `PreemptType=preempt/${preemptType}`, 'PreemptMode=REQUEUE'],
      ...this.nodes.map(
        (node, index) =>
          `NodeName=${node} NodeHostname=${host} NodeAddr=127.0.0.1 Port=${slurmd[index]} CPUs=32 Boards=1 SocketsPerBoard=1 CoresPerSocket=32 ThreadsPerCore=1 RealMemory=515000 Gres=gpu:4 State=UNKNOWN`,
      ),
      `PartitionName=normal Default=YES PriorityTier=10 PreemptMode=OFF ${common}`,
      `PartitionName=preempt PriorityTier=1 PreemptMode=REQUEUE GraceTime=${graceSeconds} ${common}`,
      `PartitionName=preempt-cancel PriorityTier=1 PreemptMode=CANCEL GraceTime=${graceSeconds} ${common}`,
      ...extra,
    ];
  }
}

const FREEZER = '/sys/fs/cgroup/freezer';

/** proctrack/cgroup, which most sites use, needs root and a v1 freezer. It sends signals to fewer processes. */
function canUseFreezer(): boolean {
  try {
    accessSync(`${FREEZER}/cgroup.procs`, constants.W_OK);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

function removeControlGroup(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeControlGroup(path.join(folder, entry.name));
  }
  try {
    rmdirSync(folder);
  } catch {
    // A process is still on its way out; an empty group does no harm.
  }
}

/** A socket's path has at most 107 bytes, and slurm.conf takes no spaces. */
function shortTemporaryFolder(): string {
  const folder = os.tmpdir();
  return folder.length < 50 && /^[\w./-]+$/.test(folder) ? folder : '/tmp';
}

/** Free ports below those the system hands out itself, so that a restarted daemon finds its own free again. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(20_000, 32_000);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
