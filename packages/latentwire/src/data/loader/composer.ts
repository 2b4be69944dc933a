/**
 * What runs in the threads of a batch loader. A composing module exports `createComposer`; it is imported by its address
 * in every thread (or in the main one), given the shared data once, and then asked for one batch after the other. A
 * batch must be a function of data and request alone: which thread composes it must not matter.
 */
export type Composer<Request, Batch> = (request: Request) => Batch | Promise<Batch>;

export interface ComposingModule<Data, Request, Batch> {
  /** @param data as handed to the loader: a structured clone of it, with SharedArrayBuffers shared */
  createComposer(data: Data): Composer<Request, Batch>;
}

/** Main thread to worker. */
export interface WorkerStart {
  readonly module: string;
  readonly data: unknown;
}
export interface WorkerTask {
  readonly step: number;
  readonly request: unknown;
}

/** Worker to main thread. */
export type WorkerAnswer =
  | { readonly step: number; readonly batch: unknown }
  | { readonly step: number; readonly error: string };

/** Memory of a batch that can be handed over in place of being copied. */
export function transferable(value: unknown, found = new Set<ArrayBuffer>()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(value)) {
    // A view of part of a buffer is copied: others may look at the rest.
    const { buffer, byteLength } = value;
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) found.add(buffer);
  } else if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) transferable(item, found);
  }
  return found;
}
