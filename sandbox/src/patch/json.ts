// JSON patch (RFC 6902), with the few liberties that the API server's library takes.
import { applyPatch as applyOperations } from 'rfc6902';
import type { Operation } from 'rfc6902';

/** Some operation could not be done: nothing was. */
export class PatchFailed extends Error {
  override readonly name = 'PatchFailed';
}

export const MAX_OPERATIONS = 10000;

/** A patched copy of the object. Throws PatchFailed when a path is missing or a test fails. */
export function applyJsonPatch<T extends object>(object: T, operations: readonly object[]): T {
  // A holder, so that an operation on "" can replace the whole.
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

/** A test that something is null passes where there is nothing; the library of the API server has it so. */
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
