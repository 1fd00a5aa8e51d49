// Kubernetes quantities (`100m`, `1.5Gi`) as exact numbers, for CEL's quantity() library.

const BINARY: Record<string, bigint> = Object.fromEntries(
  ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'].map((suffix, i) => [suffix, 1024n ** BigInt(i)]),
);
const DECIMAL_EXPONENT: Record<string, number> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const PATTERN = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$/;
const NANO = 1_000_000_000n;

/** Stored as an integer in units of 10⁻⁹, the precision of Kubernetes, rounded up. */
export class Quantity {
  readonly nanos: bigint;
  private readonly text: string;

  constructor(nanos: bigint, text?: string) {
    this.nanos = nanos;
    this.text = text ?? format(nanos);
  }

  static parse(text: string): Quantity | undefined {
    const match = PATTERN.exec(text);
    if (!match) return undefined;
    const [, sign, digits, suffix = ''] = match;
    const [whole = '', fraction = ''] = digits!.split('.');
    const mantissa = BigInt(whole + fraction || '0');
    const binary = BINARY[suffix];
    const exponent = binary !== undefined ? 0 : (DECIMAL_EXPONENT[suffix] ?? Number(suffix.slice(1)));
    if (Math.abs(exponent) > 30) return undefined;
    let nanos = mantissa * (binary ?? 1n) * NANO;
    const shift = exponent - fraction.length;
    if (shift >= 0) nanos *= 10n ** BigInt(shift);
    else nanos = divideUp(nanos, 10n ** BigInt(-shift));
    return new Quantity(sign === '-' ? -nanos : nanos, text);
  }

  isInteger(): boolean {
    return this.nanos % NANO === 0n;
  }

  asInteger(): bigint {
    return this.nanos / NANO;
  }

  asApproximateFloat(): number {
    return Number(this.nanos) / 1e9;
  }

  compareTo(other: Quantity): -1 | 0 | 1 {
    if (this.nanos === other.nanos) return 0;
    return this.nanos < other.nanos ? -1 : 1;
  }

  toString(): string {
    return this.text;
  }
}

const divideUp = (a: bigint, b: bigint): bigint => (a % b === 0n ? a / b : a / b + 1n);

const format = (nanos: bigint): string => {
  if (nanos % NANO === 0n) return `${nanos / NANO}`;
  if (nanos % 1_000_000n === 0n) return `${nanos / 1_000_000n}m`;
  return `${nanos}n`;
};
