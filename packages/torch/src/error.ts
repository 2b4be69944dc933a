/**
 * Every failure of libtorch or of the bridge: the operator, its schema and the shapes, dtypes and devices of the
 * arguments stand in fields and in the message; libtorch's C++ backtrace is left out.
 */
export class TorchError extends Error {
  override readonly name: string = 'TorchError';
  /** Operator with overload ("aten::add.Tensor"), or "" when no operator was involved. */
  readonly operator: string;
  /** The operator's schema text. */
  readonly schema: string;
  /** "self=Float[2, 3]@cpu, other=…" */
  readonly arguments: string;

  constructor(message: string, details: { operator?: string; schema?: string; arguments?: string } = {}) {
    const operator = details.operator ?? '';
    const given = details.arguments ?? '';
    const where = operator === '' ? '' : `${operator}: `;
    super(`${where}${message.trim()}${given === '' ? '' : `\n  given ${given}`}`);
    this.operator = operator;
    this.schema = details.schema ?? '';
    this.arguments = given;
  }

  /** True when the device ran out of memory (the batch-size search backs off on this). */
  get outOfMemory(): boolean {
    return /out of (?:host )?memory|can't allocate memory|not enough memory|STATUS_ALLOC_FAILED/i.test(
      this.message,
    );
  }
}
