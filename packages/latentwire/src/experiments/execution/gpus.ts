/** The GPUs that this machine offers to cells. */
import spawn from 'nano-spawn';

const TIMEOUT_MS = 10_000;

/** What CUDA_VISIBLE_DEVICES allows, else what nvidia-smi lists; none where there is no nvidia-smi. */
export async function findGpus(env: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const visible = env.CUDA_VISIBLE_DEVICES;
  if (visible !== undefined)
    return visible.split(',').filter((gpu) => gpu.trim() !== '' && gpu.trim() !== '-1');
  try {
    const { stdout } = await spawn('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], {
      // Not `timeout`: where there is no such program its timer would keep this process alive.
      signal: AbortSignal.timeout(TIMEOUT_MS),
      stdin: 'ignore',
    });
    return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  } catch {
    return [];
  }
}
