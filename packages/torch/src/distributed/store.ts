/**
 * libtorch's TCP store: texts by key that all processes of a job see. One of them serves it, and it lives as long as that
 * process. See native/process_group.h.
 */
import { TorchError } from '../error.js';
import { native } from '../native.js';
import { backends } from './process-group.js';

export interface StoreOptions {
  readonly host: string;
  readonly port: number;
  /** Whether this process serves the store. */
  readonly serves: boolean;
  /** How long to wait for the serving process, and for a key. */
  readonly timeoutMs: number;
}

export class Store implements Disposable {
  /** One per process. @throws TorchError when nobody serves it in time, or the port is taken */
  constructor(options: StoreOptions) {
    if (backends().length === 0) {
      throw new TorchError(
        'this addon was built without process groups: run `npm run setup` and read its line on the addon',
      );
    }
    native.storeOpen(options.host, options.port, options.serves, options.timeoutMs);
  }

  set(key: string, text: string): void {
    native.storeSet(key, text);
  }

  /** Whether all keys are there. */
  has(...keys: string[]): boolean {
    return native.storeHas(keys);
  }

  /** Waits for the key, and does not return to the event loop meanwhile. */
  get(key: string): string {
    return native.storeGet(key);
  }

  [Symbol.dispose](): void {
    native.storeClose();
  }
}
