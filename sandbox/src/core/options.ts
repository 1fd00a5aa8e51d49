// CreateOptions, UpdateOptions, PatchOptions and DeleteOptions: parsed from the query and checked as in the real server.
import { badRequest, field, invalid } from './errors.ts';
import type { Call, FieldValidation } from './call.ts';
import type { FieldError } from './types.ts';

export interface WriteOptions {
  dryRun: boolean;
  manager: string;
  force: boolean;
  validation: FieldValidation;
  /** The options in admission requests. */
  object: Record<string, unknown>;
}

type Kind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions';

const VALIDATIONS: readonly string[] = ['Ignore', 'Warn', 'Strict', ''];
const MAX_MANAGER_BYTES = 128;

/** A number in the query. 0 if absent. */
export function integerOf(query: URLSearchParams, key: string): number {
  const text = query.get(key) ?? '';
  if (!text) return 0;
  if (!/^[-+]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

export function checkDryRun(values: readonly string[]): FieldError[] {
  return values.some((value) => value !== 'All') ? [field.notSupported('dryRun', values, ['All'])] : [];
}

/** Byte positions, as in Go. */
function checkPrintable(path: string, text: string): FieldError[] {
  return [...text.matchAll(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu)].map((found) => {
    const code = found[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
    const at = Buffer.byteLength(text.slice(0, found.index));
    return field.invalid(path, text, `invalid character U+${code} (at position ${at})`);
  });
}

/** Without a fieldManager, the manager is the User-Agent up to the first slash. */
const managerOf = (call: Call): string =>
  (call.query.get('fieldManager') || (call.headers['user-agent'] ?? 'unknown').split('/')[0]!).slice(
    0,
    MAX_MANAGER_BYTES,
  );

export function readOptions(call: Call, kind: Kind, applying = false): WriteOptions {
  const { query } = call;
  if (query.size === 0 && !applying) {
    return {
      dryRun: false,
      manager: managerOf(call),
      force: false,
      validation: 'Warn',
      object: { kind, apiVersion: 'meta.k8s.io/v1' },
    };
  }
  const dryRun = query.getAll('dryRun');
  const manager = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const force = query.get('force');
  const errors = checkDryRun(dryRun);
  if (applying && !manager) errors.push(field.required('fieldManager', 'is required for apply patch'));
  if (kind === 'PatchOptions' && force !== null && !applying) {
    errors.push(field.forbidden('force', 'may not be specified for non-apply patch'));
  }
  if (Buffer.byteLength(manager) > MAX_MANAGER_BYTES) errors.push(field.tooLong('fieldManager', MAX_MANAGER_BYTES));
  errors.push(...checkPrintable('fieldManager', manager));
  if (!VALIDATIONS.includes(validation)) {
    errors.push(field.notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn']));
  }
  if (errors.length) throw invalid({ group: 'meta.k8s.io', kind }, '', errors);
  return {
    dryRun: dryRun.length > 0,
    manager: managerOf(call),
    force: force === 'true' || force === '1',
    validation: (validation || 'Warn') as FieldValidation,
    object: {
      kind,
      apiVersion: 'meta.k8s.io/v1',
      ...(dryRun.length ? { dryRun } : {}),
      ...(force !== null ? { force: force === 'true' || force === '1' } : {}),
      ...(manager ? { fieldManager: manager } : {}),
      ...(validation ? { fieldValidation: validation } : {}),
    },
  };
}
