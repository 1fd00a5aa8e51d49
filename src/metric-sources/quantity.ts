// Reads Kubernetes' quantities, such as 250m, 128Mi and 1e3.

const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const QUANTITY = /^([+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30}))(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i)?)$/;

/** The number. Undefined if it is not a quantity. */
export function parseQuantity(text: unknown): number | undefined {
  const [all, digits, exponent, suffix = ''] = (typeof text === 'string' && QUANTITY.exec(text)) || [];
  if (all === undefined) return undefined;
  if (suffix.endsWith('i')) return Number(digits) * 1024 ** BINARY.indexOf(suffix);
  // As one decimal number, 300m is 0.3, and a product would be 0.30000000000000004.
  return Number(`${digits}e${exponent ?? 3 * DECIMAL.indexOf(suffix) - 9}`);
}
