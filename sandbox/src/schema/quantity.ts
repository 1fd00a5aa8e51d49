// Kubernetes quantities (500m, 1.5, 64Mi) in the canonical form of the API server, and their order.

const FORMAT = /^([+-]?)(\d*)(?:\.(\d*))?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?\d+)?$/;
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
/** Quantities are stored in units of 10⁻⁹, rounded up. */
const NANO = 10n ** 9n;

interface Quantity {
  /** Times 10⁻⁹. */
  nano: bigint;
  format: 'decimal' | 'binary' | 'exponent';
}

/** Undefined for an invalid quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const found = FORMAT.exec(text);
  if (!found) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = found;
  if (!whole && !fraction) return undefined;
  const digits = BigInt(whole + fraction || '0');
  let numerator = digits;
  let denominator = 10n ** BigInt(fraction.length);
  let format: Quantity['format'] = 'decimal';
  if (BINARY.indexOf(suffix) > 0) {
    numerator *= 1024n ** BigInt(BINARY.indexOf(suffix));
    format = 'binary';
  } else if (/^[eE]./.test(suffix)) {
    const exponent = Number(suffix.slice(1));
    if (Math.abs(exponent) > 100) return undefined;
    if (exponent >= 0) numerator *= 10n ** BigInt(exponent);
    else denominator *= 10n ** BigInt(-exponent);
    format = 'exponent';
  } else {
    const power = 3 * (DECIMAL.indexOf(suffix) - 3);
    if (power >= 0) numerator *= 10n ** BigInt(power);
    else denominator *= 10n ** BigInt(-power);
  }
  const scaled = numerator * NANO;
  const nano = (scaled + denominator - 1n) / denominator;
  return { nano: sign === '-' ? -nano : nano, format };
}

/** The format of Kubernetes: the largest suffix that leaves an integer. Undefined for an invalid quantity. */
export function canonicalQuantity(text: string): string | undefined {
  const quantity = parseQuantity(text);
  if (!quantity) return undefined;
  const { nano, format } = quantity;
  if (nano === 0n) return '0';
  const magnitude = nano < 0n ? -nano : nano;
  const sign = nano < 0n ? '-' : '';
  if (format === 'binary' && magnitude >= 1024n * NANO && magnitude % NANO === 0n) {
    let value = magnitude / NANO;
    let power = 0;
    while (power < BINARY.length - 1 && value % 1024n === 0n) {
      value /= 1024n;
      power++;
    }
    return `${sign}${value}${BINARY[power]}`;
  }
  let value = magnitude;
  let power = 0;
  while (power < DECIMAL.length - 1 && value % 1000n === 0n) {
    value /= 1000n;
    power++;
  }
  if (format !== 'exponent') return `${sign}${value}${DECIMAL[power]}`;
  const exponent = 3 * (power - 3);
  return `${sign}${value}${exponent === 0 ? '' : `e${exponent}`}`;
}

/** Less than 0, 0, or greater than 0. Undefined if a quantity is invalid. */
export function compareQuantities(a: string, b: string): number | undefined {
  const [left, right] = [parseQuantity(a), parseQuantity(b)];
  if (!left || !right) return undefined;
  return left.nano < right.nano ? -1 : left.nano > right.nano ? 1 : 0;
}
