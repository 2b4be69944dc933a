import { defineConfig } from 'vitest/config';

// Tests import the TypeScript sources of sibling packages (export condition `latentwire-source`),
// in forked processes because the native addon keeps process-wide state.
export default defineConfig({
  resolve: { conditions: ['latentwire-source'] },
  ssr: { resolve: { conditions: ['latentwire-source'] } },
  test: {
    include: [
      'packages/*/{src,test}/**/*.test.ts',
      'packages/torch/setup/**/*.test.mjs',
      'scripts/**/*.test.{ts,mjs}',
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    env: { OMP_NUM_THREADS: '1' },
  },
});
