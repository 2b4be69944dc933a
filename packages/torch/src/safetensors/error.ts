import { TorchError } from '../error.js';

/** Where in a file the fault is. */
export interface SafetensorsFault {
  readonly file: string;
  /** The tensor concerned, when it is one. */
  readonly tensor?: string | undefined;
  /** Path of the header entry ("data_offsets", "shape[1]", "__metadata__.format"), when it is one. */
  readonly field?: string | undefined;
  readonly cause?: unknown;
}

/** A safetensors file or index that cannot be read or written: which file, which tensor, which field, and why. */
export class SafetensorsError extends TorchError {
  override readonly name: string = 'SafetensorsError';
  readonly file: string;
  readonly tensor: string | undefined;
  readonly field: string | undefined;

  constructor(reason: string, fault: SafetensorsFault) {
    const where = [fault.file];
    if (fault.tensor !== undefined) where.push(`tensor '${fault.tensor}'`);
    if (fault.field !== undefined) where.push(fault.field);
    super(`${where.join(': ')}: ${reason}`);
    if (fault.cause !== undefined) this.cause = fault.cause;
    this.file = fault.file;
    this.tensor = fault.tensor;
    this.field = fault.field;
  }
}

/** The reason an operating-system call failed, in words. */
export function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
      return 'no such file or folder (ENOENT)';
    case 'ENOSPC':
      return 'no space left on the device (ENOSPC); free some space and save again';
    case 'EDQUOT':
      return 'the disk quota is used up (EDQUOT); free some space and save again';
    case 'EACCES':
    case 'EPERM':
      return `permission denied (${code})`;
    case 'EISDIR':
      return 'it is a folder (EISDIR)';
    default:
      return error.message;
  }
}
