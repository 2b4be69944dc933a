import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { receivedSignal, signalCount, signalReceived, unwatchSignals, watchSignals } from './signals.js';

// A process of its own needs JavaScript.
const BUILT = fileURLToPath(new URL('../dist/signals.js', import.meta.url));

afterEach(unwatchSignals);

/** Looks again and again without returning to the event loop; gives up after five seconds. */
function spinUntil(condition: () => boolean): void {
  const end = performance.now() + 5000;
  while (!condition() && performance.now() < end);
}

describe('watchSignals', () => {
  it('shows a signal to code that never returns to the event loop, with the time it came', () => {
    watchSignals(['SIGUSR2', 'SIGTERM']);
    expect(signalReceived()).toBe(false);
    const before = performance.now();
    process.kill(process.pid, 'SIGUSR2');
    spinUntil(signalReceived);
    const after = performance.now();
    const received = receivedSignal()!;
    expect(received.name).toBe('SIGUSR2');
    expect(received.monotonicMs).toBeGreaterThanOrEqual(before - 1);
    expect(received.monotonicMs).toBeLessThanOrEqual(after + 1);
    expect(Math.abs(received.wallMs - Date.now())).toBeLessThan(5000);
  });

  it('remembers the first signal and counts the later ones', () => {
    watchSignals(['SIGUSR2', 'SIGTERM']);
    process.kill(process.pid, 'SIGTERM');
    spinUntil(signalReceived);
    process.kill(process.pid, 'SIGUSR2');
    process.kill(process.pid, 'SIGTERM');
    spinUntil(() => signalCount('SIGTERM') >= 2 && signalCount('SIGUSR2') >= 1);
    expect(receivedSignal()?.name).toBe('SIGTERM');
  });

  it('leaves handlers of Node in place', async () => {
    const seen = new Promise<string>((resolve) => process.once('SIGUSR2', resolve));
    watchSignals(['SIGUSR2']);
    process.kill(process.pid, 'SIGUSR2');
    expect(await seen).toBe('SIGUSR2');
    expect(signalReceived()).toBe(true);
  });

  it('does not stand still when signals interrupt each other, each with a handler of Node', async () => {
    const script = `
      import { signalCount, watchSignals } from ${JSON.stringify(BUILT)};
      const names = ['SIGTERM', 'SIGUSR1', 'SIGUSR2'];
      for (const name of names) process.on(name, () => {});
      watchSignals(names);
      console.log('ready');
      const look = () => names.every((name) => signalCount(name) > 300) ? process.exit(7) : setTimeout(look, 1);
      look();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const names = ['SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;
    const storm = setInterval(() => {
      for (let i = 0; i < 20; i++) for (const name of names) child.kill(name);
    }, 1);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    clearInterval(storm);
    expect(code).toBe(7);
  }, 30_000);

  it('refuses what is no signal', () => {
    expect(() => watchSignals(['SIGNOTHING' as NodeJS.Signals])).toThrow('expected a signal name');
  });
});
