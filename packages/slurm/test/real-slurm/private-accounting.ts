/**
 * Accounting for a private cluster: MariaDB and slurmdbd inside the cluster's folder, on ports of their own (about
 * 4 s to start and 110 MB). slurmdbd reads slurmdbd.conf beside SLURM_CONF and nothing else, and it must be up before
 * the first slurmctld.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Availability, isInstalled } from './install.js';

const execute = promisify(execFile);

const PACKAGES = ['slurmdbd', 'slurm-wlm-mysql-plugin', 'mariadb-server'];
const PROGRAMS = ['slurmdbd', 'mariadbd', 'mariadb-install-db', 'sacctmgr', 'sacct'];

/** What `AccountingStorageEnforce` says; a site that limits anything has all of these. */
const ENFORCED = 'associations,limits,qos';

/** Whether a cluster with accounting can be started here. Nothing is installed: a database costs CI minutes. */
export function accountingAvailable(): Availability {
  if (process.env.LATENTWIRE_TEST_SLURMDBD !== '1')
    return { available: false, why: 'LATENTWIRE_TEST_SLURMDBD=1 is not set (it starts a database)' };
  if (isInstalled(PROGRAMS)) return { available: true };
  return {
    available: false,
    why: `no slurmdbd and mariadbd; as root: apt-get install ${PACKAGES.join(' ')}`,
  };
}

export interface AccountingPorts {
  readonly database: number;
  readonly daemon: number;
}

/** Lines of slurm.conf. */
export function accountingLines(folder: string, { daemon }: AccountingPorts): string[] {
  return [
    ...['AccountingStorageType=accounting_storage/slurmdbd', `AccountingStorageEnforce=${ENFORCED}`],
    ...['AccountingStorageHost=127.0.0.1', `AccountingStoragePort=${daemon}`],
    // The way to slurmdbd goes by this socket, not by that of AuthInfo.
    ...[`AccountingStoragePass=${path.join(folder, 'munge/socket')}`, 'AccountingStorageTRES=gres/gpu'],
    'AccountingStoreFlags=job_comment',
  ];
}

/** How a daemon of the cluster is started. */
export type Launch = (program: string, args: readonly string[]) => void;
export type Until = (what: string, isUp: () => Promise<boolean>) => Promise<void>;

/** Both daemons, and the cluster known to them. munge and slurm.conf must be there. */
export async function startAccounting(
  { folder, env, ports }: { folder: string; env: NodeJS.ProcessEnv; ports: AccountingPorts },
  launch: Launch,
  until: Until,
): Promise<void> {
  const password = randomBytes(12).toString('hex');
  const data = path.join(folder, 'database');
  const socket = path.join(folder, 'database.sock');
  const start = path.join(folder, 'database.sql');
  const user = os.userInfo().username;
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(
    start,
    `CREATE DATABASE IF NOT EXISTS slurm_acct_db;\nCREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY '${password}';\nGRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';\n`,
    { mode: 0o600 },
  );
  writeFileSync(path.join(folder, 'slurmdbd.conf'), `${dbdLines(folder, ports, password).join('\n')}\n`, {
    mode: 0o600,
  });
  await execute(
    'mariadb-install-db',
    ['--no-defaults', `--datadir=${data}`, `--user=${user}`, '--skip-test-db', '--skip-name-resolve'],
    { env, timeout: 120_000 },
  );
  launch('mariadbd', [
    ...['--no-defaults', `--datadir=${data}`, `--socket=${socket}`, `--user=${user}`],
    ...['--bind-address=127.0.0.1', `--port=${ports.database}`, '--skip-name-resolve'],
    ...['--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M', '--innodb-lock-wait-timeout=900'],
    ...['--key-buffer-size=1M', '--performance-schema=OFF', '--innodb-flush-log-at-trx-commit=2'],
    ...[`--pid-file=${path.join(folder, 'mariadbd.pid')}`, `--init-file=${start}`],
  ]);
  await until('database', async () => {
    await execute('mariadb-admin', ['--no-defaults', `--socket=${socket}`, 'ping'], { env });
    return true;
  });
  launch('slurmdbd', ['-D']);
  await until('slurmdbd', async () => {
    await execute('sacctmgr', ['--immediate', 'add', 'cluster', 'testcluster'], { env, timeout: 10_000 });
    return true;
  });
}

function dbdLines(folder: string, { database, daemon }: AccountingPorts, password: string): string[] {
  return [
    ...['AuthType=auth/munge', `AuthInfo=socket=${path.join(folder, 'munge/socket')}`],
    ...[`DbdHost=${os.hostname().split('.')[0]}`, 'DbdAddr=127.0.0.1', `DbdPort=${daemon}`],
    ...[`SlurmUser=${os.userInfo().username}`, `LogFile=${path.join(folder, 'log/slurmdbd.log')}`],
    ...[`PidFile=${path.join(folder, 'slurmdbd.pid')}`, 'StorageType=accounting_storage/mysql'],
    ...['StorageHost=127.0.0.1', `StoragePort=${database}`, 'StorageUser=slurm'],
    ...[`StoragePass=${password}`, 'StorageLoc=slurm_acct_db'],
  ];
}
