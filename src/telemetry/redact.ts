// Prepares values for a log line: bounded in size, errors with their causes, and without secrets or the content of Kubernetes objects.

const MAX_TEXT = 2_000;
const MAX_ENTRIES = 20;
const MAX_DEPTH = 4;
/** Values of fields with these names are never logged. */
const SECRET_NAME = /^(token|password|authorization|cookie|caKey|privateKey|tls\.key|ca\.key|data|stringData)$/i;
const SECRET_TEXT = /(Bearer )\S+|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const REDACTED = '[redacted]';

/** Returns a copy that is safe to log as JSON. */
export function redact(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return text(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
    case 'undefined':
      return value;
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) return null;
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof URL) return text(value.href);
  const reference = referenceOf(value);
  if (reference !== undefined) return reference;
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? '[…]' : '{…}';
  if (Array.isArray(value)) {
    const kept = value.slice(0, MAX_ENTRIES).map((item) => redact(item, depth + 1));
    return value.length > MAX_ENTRIES ? [...kept, `… ${value.length - MAX_ENTRIES} more`] : kept;
  }
  const copy: Record<string, unknown> = {};
  let left = MAX_ENTRIES;
  for (const [name, item] of Object.entries(value)) {
    if (left-- === 0) break;
    const safe = SECRET_NAME.test(name) ? REDACTED : redact(item, depth + 1);
    if (name !== '__proto__') copy[name] = safe;
    else Object.defineProperty(copy, name, { value: safe, enumerable: true });
  }
  return copy;
}

/** An error with a code is an expected error. Any other error may be a bug, so its stack is logged. */
function redactError(error: Error, depth: number): unknown {
  const { name, message, stack, cause, code, reason } = error as Error & { code?: unknown; reason?: unknown };
  const expected = typeof code === 'string' || typeof code === 'number';
  return {
    name,
    message: text(message),
    ...(expected ? { code } : {}),
    ...(typeof reason === 'string' && reason !== '' ? { reason: text(reason) } : {}),
    ...(error instanceof AggregateError && depth < MAX_DEPTH ? { errors: redact(error.errors, depth + 1) } : {}),
    ...(!expected && stack ? { stack: text(stack) } : {}),
    ...(cause !== undefined && depth < MAX_DEPTH ? { cause: redact(cause, depth + 1) } : {}),
  };
}

const text = (value: string): string => {
  // Most strings contain neither, and this check is cheaper than the replacement.
  const mayHave = value.includes('Bearer ') || value.includes('PRIVATE KEY');
  const safe = mayHave ? value.replace(SECRET_TEXT, (_, bearer?: string) => (bearer ?? '') + REDACTED) : value;
  return safe.length > MAX_TEXT ? `${safe.slice(0, MAX_TEXT)}…` : safe;
};

/** The name of a Kubernetes object, e.g. `Rollout shop/web`: its content is never logged. Undefined for any other value. */
function referenceOf(value: object): string | undefined {
  const { kind, metadata } = value as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } };
  if (typeof metadata !== 'object' || metadata === null || typeof metadata.name !== 'string') return undefined;
  const name = typeof metadata.namespace === 'string' ? `${metadata.namespace}/${metadata.name}` : metadata.name;
  return typeof kind === 'string' ? `${kind} ${name}` : name;
}
