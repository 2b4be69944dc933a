/** libtorch's process groups: the same collective, called by every process in the same order, on tensors of one size. */
import { TorchError } from '../error.js';
import { native } from '../native.js';
import type { Tensor } from '../tensor.js';
import type { Store } from './store.js';

/** gloo: CPU tensors; nccl: CUDA tensors, each process with a GPU of its own. */
export type Backend = 'gloo' | 'nccl';

/** What the addon was built with; see the set-up. */
export function backends(): readonly Backend[] {
  return native.distributedBackends() as Backend[];
}

export interface GroupOptions {
  readonly backend: Backend;
  readonly rank: number;
  /** Number of processes. */
  readonly size: number;
  /** A collective that takes longer has failed. */
  readonly timeoutMs: number;
  /** Where the store is served: on one machine the group keeps to the loopback interface. */
  readonly host: string;
}

export class ProcessGroup implements Disposable {
  readonly rank: number;
  readonly size: number;

  /**
   * Every process makes one, over the same store; one per process.
   * @throws TorchError without that backend, or when not all processes come in time
   */
  constructor(_store: Store, options: GroupOptions) {
    const { backend, rank, size, timeoutMs, host } = options;
    if (!backends().includes(backend)) {
      throw new TorchError(
        `expected an addon with the backend ${backend}, this one has ${backends().join(', ') || 'none'}: ` +
          (backend === 'nccl'
            ? "NCCL's header nccl.h and CUDA's were not found when it was built; install them and run `npm run setup`"
            : 'this torch was built without it'),
      );
    }
    native.groupOpen(backend, rank, size, timeoutMs, host);
    this.rank = rank;
    this.size = size;
  }

  /** The sum over all processes, in place. On CUDA the device waits for it and the host does not. @returns a ticket */
  allReduce_(tensor: Tensor): number {
    return native.allReduce(tensor.handle);
  }

  /** Whether the sum of that ticket is there, on the device too. Does not wait. @throws TorchError when it failed */
  isReduced(ticket: number): boolean {
    return native.isReduced(ticket);
  }

  /** The tensor of process `root`, in place. */
  broadcast_(tensor: Tensor, root: number): void {
    native.broadcast(tensor.handle, root);
  }

  /** Leaves the group. Every process does, with nothing under way any more; not after a collective that failed. */
  [Symbol.dispose](): void {
    native.groupClose();
  }
}
