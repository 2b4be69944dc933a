/** The executors of this machine keep what every executor promises. */
import { writeFileSync } from 'node:fs';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { Claims } from '../state/claims.js';
import { executorSuite, type Work } from './executor.suite.fixture.js';
import { InProcessExecutor } from './in-process-executor.js';
import { LocalExecutor } from './local-executor.js';

const within = temporaryFolder();
const planFile = (): string => {
  const file = within('plan.yaml');
  writeFileSync(
    file,
    'version: 1\nname: p\nsettings: {model.ids: [m]}\nphases:\n  - name: a\n    grid: {wire.d_z: [8, 16]}\n',
  );
  return file;
};
const SHELL: Readonly<Record<Work, string>> = {
  'ends well': 'true',
  fails: 'echo error: it broke; echo hint: mend it; exit 1',
  'runs until stopped': 'sleep 60',
};

executorSuite(
  'local',
  planFile,
  (work, folder) => ({
    executor: new LocalExecutor({
      slots: 2,
      gpuClaims: new Claims(folder),
      command: () => ['/bin/sh', '-c', SHELL[work]],
    }),
    places: 2,
  }),
  within,
);

executorSuite(
  'in-process',
  planFile,
  (work) => ({
    executor: new InProcessExecutor(async (_, signal) => {
      if (work === 'fails') throw new Error('it broke');
      if (work !== 'runs until stopped' || signal.aborted) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    }),
    places: 1,
  }),
  within,
);
