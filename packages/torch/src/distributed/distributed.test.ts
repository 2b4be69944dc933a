/** Three processes over Gloo; each is this package, built. */
import { spawn } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { backends } from './index.js';

const BUILT = fileURLToPath(new URL('../../dist/index.js', import.meta.url));

const PROGRAM = `
  import * as t from ${JSON.stringify(BUILT)};
  const [rank, port, dies] = process.argv.slice(1).map(Number);
  const where = { host: '127.0.0.1', port, timeoutMs: 20_000 };
  const store = new t.distributed.Store({ ...where, serves: rank === 0 });
  const group = new t.distributed.ProcessGroup(store, { ...where, backend: 'gloo', rank, size: 3 });
  const x = t.tensor([rank, 1, -0.5]);
  group.allReduce_(x);
  const y = t.full([2, 2], rank);
  group.broadcast_(y, 1);
  store.set('from ' + rank, 'hello ' + rank);
  const heard = store.get('from ' + (rank + 1) % 3);
  if (rank === dies) process.kill(process.pid, 'SIGKILL');
  let error = null;
  let ticket = 0;
  try {
    ticket = group.allReduce_(x);
  } catch (e) {
    error = e.name;
  }
  process.stdout.write(JSON.stringify({ x: x.toArray(), y: y.toArray(), heard, reduced: error ?? group.isReduced(ticket) }));
  if (error === null) {
    store.set('done ' + rank, '');
    group[Symbol.dispose]();
    while (rank === 0 && !store.has('done 1', 'done 2')) ;
  }
  process.exit(0);
`;

async function three(dies: number): Promise<(Record<string, unknown> | null)[]> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const ends = [0, 1, 2].map(async (rank) => {
    const program = ['--input-type=module', '-e', PROGRAM, String(rank), String(port), String(dies)];
    const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    for await (const part of child.stdout) output += part;
    return output === '' ? null : (JSON.parse(output) as Record<string, unknown>);
  });
  return Promise.all(ends);
}

it.skipIf(!backends().includes('gloo'))(
  'sums, shares and stores over three processes',
  async () => {
    const ends = await three(-1);
    ends.forEach((end, rank) => {
      expect(end).toEqual({
        x: [9, 9, -4.5],
        y: [1, 1, 1, 1],
        heard: `hello ${(rank + 1) % 3}`,
        reduced: true,
      });
    });
  },
  60_000,
);

it.skipIf(!backends().includes('gloo'))(
  'is an error for the others when one process is killed',
  async () => {
    const [first, second, third] = await three(2);
    expect(third).toBeNull();
    expect([first!.reduced, second!.reduced]).toEqual(['TorchError', 'TorchError']);
  },
  60_000,
);
