// JSON patch (RFC 6902), with the deviations of the API server's library.
import { applyPatch as applyOperations } from 'rfc6902';
import type { Operation } from 'rfc6902';

/** An operation failed. Nothing was changed. */
export class PatchFailed extends Error {
  override readonly name = 'PatchFailed';
}

export const MAX_OPERATIONS = 10000;

/** Returns a patched copy of the object. Throws PatchFailed if a path is missing or a test fails. */
export function applyJsonPatch<T extends object>(object: T, operations: readonly object[]): T {
  // The wrapper allows an operation on "" to replace the whole object.
  const holder = { object: structuredClone(object) };
  for (const operation of operations as Operation[]) {
    const moved = inHolder(operation);
    if (isVacuousTest(holder, moved)) continue;
    let problem: Error | null;
    try {
      [problem = null] = applyOperations(holder, [moved]);
    } catch (error) {
      problem = error as Error;
    }
    if (problem) throw new PatchFailed(problem.message, { cause: problem });
  }
  return holder.object;
}

function inHolder(operation: Operation): Operation {
  const path = (given: unknown): unknown => (typeof given === 'string' ? `/object${given}` : given);
  return {
    ...operation,
    path: path(operation.path),
    ...('from' in operation ? { from: path(operation.from) } : {}),
  } as Operation;
}

/** As in the API server's library, a test for null succeeds on a missing path. */
function isVacuousTest(holder: object, operation: Operation): boolean {
  if (operation.op !== 'test' || operation.value !== null || typeof operation.path !== 'string') return false;
  let value: unknown = holder;
  for (const token of operation.path.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null) return false;
    value = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value === undefined;
}
