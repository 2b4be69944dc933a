/**
 * Loads the native addon that the set-up built (`build/addon.json` says where) and types its functions.
 * Nothing else in the package touches N-API. Handles are numbers; see native/handles.h.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { TorchError } from './error.js';

/** A tensor in the native table. */
export type Handle = number;
/** An operator resolved by schema. */
export type OperatorId = number;
/** What an operator argument may be on the JavaScript side. */
export type NativeValue =
  | number
  | boolean
  | string
  | bigint
  | null
  | undefined
  | readonly (number | boolean | null)[];

export interface NativeBridge {
  setErrorFactory(factory: (message: string, operator: string, schema: string, args: string) => Error): void;
  listBuffer(): ArrayBuffer;
  resolve(name: string): OperatorId;
  schema(operator: OperatorId): string;
  call(operator: OperatorId, ...args: NativeValue[]): unknown;
  callInPlace(operator: OperatorId, ...args: NativeValue[]): void;

  scopeEnter(): void;
  scopeExit(kept: readonly Handle[]): void;
  keep(tensor: Handle): void;
  release(tensor: Handle): void;
  isAlive(tensor: Handle): boolean;
  liveTensors(): number;

  backward(
    roots: readonly Handle[],
    gradients: readonly (Handle | null)[] | null,
    retainGraph: boolean,
  ): void;
  grad(
    outputs: readonly Handle[],
    inputs: readonly Handle[],
    gradOutputs: readonly (Handle | null)[] | null,
    retainGraph: boolean,
    createGraph: boolean,
  ): (Handle | null)[];
  setRequiresGrad(tensor: Handle, requiresGrad: boolean): void;
  requiresGrad(tensor: Handle): boolean;
  gradient(tensor: Handle): Handle | null;
  setGradient(tensor: Handle, gradient: Handle | null): void;
  clearGradients(tensors: readonly Handle[]): void;
  setGradEnabled(enabled: boolean): boolean;

  recomputeBegin(): void;
  recomputeEnd(results: readonly Handle[]): Handle[];
  recomputeAbort(): void;

  fromBytes(data: NodeJS.TypedArray, shape: readonly number[], dtype: number, pinned: boolean): Handle;
  toBytes(tensor: Handle): ArrayBuffer;
  readBegin(tensor: Handle): number;
  readEnd(ticket: number): ArrayBuffer;
  item(tensor: Handle): number | boolean;
  shape(tensor: Handle): number[];
  dtype(tensor: Handle): number;
  device(tensor: Handle): string;
  isContiguous(tensor: Handle): boolean;
  sameStorage(a: Handle, b: Handle): boolean;
  mapOpen(path: string): number;
  mapTensor(mapping: number, byteOffset: number, shape: readonly number[], dtype: number): Handle;
  mapRelease(mapping: number, byteOffset: number, length: number): void;
  readTensor(mapping: number, byteOffset: number, tensor: Handle, threads: number, pieceBytes: number): void;
  readsToDevice(): boolean;
  mapClose(mapping: number): void;
  writeTensor(fd: number, tensor: Handle): number;
  fileDigest(path: string, blankPosition: number): string;
  tensorDigests(tensors: readonly Handle[]): ArrayBuffer;
  saveReserve(tensors: readonly Handle[]): void;
  saveStart(
    temporary: string,
    current: string,
    backup: string,
    header: Uint8Array,
    digestPosition: number,
    tensors: readonly Handle[],
    snapshot: boolean,
    fault: readonly [at: number, kind: number, errno: number] | null,
  ): number;
  saveSnapshotWait(save: number): void;
  saveFinished(save: number): boolean;
  saveWait(save: number): NativeSaveResult;

  watchSignals(numbers: readonly number[], secondStops: readonly number[]): void;
  unwatchSignals(): void;
  signalWhenParentEnds(number: number): void;
  receivedSignal(): number;
  signalTimes(): { monotonicMs: number; wallMs: number };
  signalCount(number: number): number;
  captureStart(log: number): [stdout: number, stderr: number];
  captureStop(): void;

  computeCapability(device: string): number;
  graphsAvailable(): boolean;
  useOwnStream(device: string): void;
  recordBegin(capture: boolean): number;
  recordEnd(step: number): void;
  recordAbort(step: number): void;
  walkBegin(step: number): void;
  walkEnd(): boolean;
  launch(step: number, walked: boolean): void;
  forgetStep(step: number): void;

  distributedBackends(): string[];
  storeOpen(host: string, port: number, serves: boolean, timeoutMs: number): void;
  storeSet(key: string, text: string): void;
  storeHas(keys: readonly string[]): boolean;
  storeGet(key: string): string;
  storeClose(): void;
  groupOpen(backend: string, rank: number, size: number, timeoutMs: number, host: string): void;
  allReduce(tensor: Handle): number;
  isReduced(ticket: number): boolean;
  broadcast(tensor: Handle, root: number): void;
  groupClose(): void;

  torchVersion(): string;
  cudaDeviceCount(): number;
  synchronize(device: string): void;
  getNumThreads(): number;
  setNumThreads(threads: number): void;
  setDeterministic(on: boolean): void;
  setMatmulPrecision(precision: string): void;
  manualSeed(seed: number): void;
  createGenerator(device: string, seed: number): number;
  generatorState(generator: number | string): Handle;
  setGeneratorState(generator: number | string, state: Handle): void;
  seedGenerator(generator: number | string, seed: number): void;
  memoryStatistics(device: string): MemoryStatistics | null;
  limitMemory(device: string, share: number): void;
  resetPeakMemory(device: string): void;
  emptyCache(device: string): void;
}

/** See native/save.h. Times in seconds; `seconds` runs from the start until the file is durable under its name. */
export interface NativeSaveResult {
  readonly bytes: number;
  readonly snapshotSeconds: number;
  readonly writeSeconds: number;
  readonly syncSeconds: number;
  readonly publishSeconds: number;
  readonly cleanupSeconds: number;
  readonly seconds: number;
  /** System calls made; each can be made to fail. */
  readonly calls: number;
  readonly digest: string;
  readonly failedCall?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

/** Bytes of the caching allocator of one CUDA device, and of the device as a whole. */
export interface MemoryStatistics {
  readonly allocated: number;
  readonly peakAllocated: number;
  readonly reserved: number;
  readonly peakReserved: number;
  readonly free: number;
  readonly total: number;
}

/** What the set-up recorded about the built addon. */
export interface AddonInfo {
  readonly addon: string;
  readonly torch: string;
  readonly torchPath: string;
  readonly cuda: boolean;
}

const FIX = 'Run `npm run setup` (in another project: `npx latentwire-torch-setup`) to build it.';

function packageRoot(): string {
  return dirname(dirname(fileURLToPath(import.meta.url)));
}

/** Where the addon is and which torch it was built against. */
export function addonInfo(): AddonInfo {
  const file = join(packageRoot(), 'build', 'addon.json');
  if (!existsSync(file)) throw new TorchError(`the native addon is not built (${file} is absent). ${FIX}`);
  const info = JSON.parse(readFileSync(file, 'utf8')) as AddonInfo;
  if (!existsSync(info.addon)) {
    throw new TorchError(`the native addon ${info.addon} is gone. ${FIX}`);
  }
  return info;
}

function load(): NativeBridge {
  const info = addonInfo();
  let bridge: NativeBridge;
  try {
    bridge = createRequire(import.meta.url)(info.addon) as NativeBridge;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TorchError(
      `the native addon ${info.addon} does not load with torch ${info.torch}: ${reason}. ${FIX}`,
    );
  }
  bridge.setErrorFactory(
    (message, operator, schema, args) => new TorchError(message, { operator, schema, arguments: args }),
  );
  return bridge;
}

/**
 * What worker threads get in place of the addon: modules that import this package load there, but nothing of libtorch can
 * be called. The addon keeps process-wide state (handles, scopes, the error factory) that belongs to the main thread.
 */
function standIn(): NativeBridge {
  const atLoad: Partial<NativeBridge> = {
    resolve: () => 0,
    schema: () => '',
    listBuffer: () => new ArrayBuffer(1 << 16),
  };
  return new Proxy(atLoad as NativeBridge, {
    get: (target, name) =>
      Reflect.get(target, name) ??
      (() => {
        throw new TorchError(`${String(name)}: expected the main thread, got a worker thread`);
      }),
  });
}

export const native: NativeBridge = isMainThread ? load() : standIn();
