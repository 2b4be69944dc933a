/**
 * Slurm for the tests: what is installed, or Debian's packages, installed once when this is root on Debian (7 s).
 * LATENTWIRE_TEST_SLURM=off skips these tests, =installed never installs anything.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export type Availability = { readonly available: true } | { readonly available: false; readonly why: string };

const PACKAGES = ['slurmctld', 'slurmd', 'slurm-client', 'munge'];
const PROGRAMS = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'scontrol', 'setpriv'];
const INSTALL_TIMEOUT_MS = 120_000;
const LOCK = path.join(os.tmpdir(), 'latentwire-slurm-install.lock');

/** PATH with the folders of daemons, which users often lack. */
export const daemonPath = `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`;

/** Whether a private cluster can be started here; installs Slurm first where that is possible. */
export function provideSlurm(): Availability {
  const wish = process.env.LATENTWIRE_TEST_SLURM ?? 'auto';
  if (wish === 'off') return { available: false, why: 'LATENTWIRE_TEST_SLURM=off' };
  if (process.platform !== 'linux') return { available: false, why: 'Slurm runs on Linux only' };
  if (isInstalled()) return { available: true };
  if (wish === 'installed')
    return { available: false, why: 'no Slurm on PATH (LATENTWIRE_TEST_SLURM=installed)' };
  if (!existsSync('/etc/debian_version')) {
    return { available: false, why: 'no Slurm on PATH, and this is not Debian: nothing was installed' };
  }
  if (process.getuid?.() !== 0) {
    return { available: false, why: `no Slurm on PATH; as root: apt-get install ${PACKAGES.join(' ')}` };
  }
  return withLock(install);
}

export function isInstalled(programs: readonly string[] = PROGRAMS): boolean {
  return programs.every(
    (program) =>
      spawnSync('sh', ['-c', `command -v ${program}`], { env: { ...process.env, PATH: daemonPath } })
        .status === 0,
  );
}

function install(): Availability {
  if (isInstalled()) return { available: true };
  // Services of the packages stay off: RUNLEVEL=1 for init scripts, and slurm.conf is missing for the units.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const options = { env, timeout: INSTALL_TIMEOUT_MS, stdio: 'pipe' } as const;
  try {
    execFileSync('apt-get', ['update', '-qq'], options);
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...PACKAGES], options);
  } catch (error) {
    const line = String((error as { stderr?: Buffer }).stderr ?? error)
      .trim()
      .split('\n')
      .at(-1);
    return { available: false, why: `apt-get could not install Slurm: ${line}` };
  }
  return isInstalled() ? { available: true } : { available: false, why: 'the packages brought no slurmctld' };
}

/** One installer at a time: test files run side by side. A lock older than an installation may take is dead. */
function withLock(work: () => Availability): Availability {
  const deadline = Date.now() + 2 * INSTALL_TIMEOUT_MS;
  for (;;) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      break;
    } catch {
      if (isDead(LOCK)) rmSync(LOCK, { force: true });
      if (Date.now() > deadline) return { available: false, why: `another installation holds ${LOCK}` };
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    }
  }
  try {
    return work();
  } finally {
    rmSync(LOCK, { force: true });
  }
}

function isDead(file: string): boolean {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return !existsSync(`/proc/${pid}`) || Date.now() - statSync(file).mtimeMs > 2 * INSTALL_TIMEOUT_MS;
  } catch {
    return false;
  }
}
