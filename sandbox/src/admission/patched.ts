// An object after a JSON patch from a webhook or policy: decoded as its kind again, with defaults.
import { internal } from '../core/errors.ts';
import type { KubeObject, ResourceType } from '../core/types.ts';
import { applyJsonPatch, PatchFailed } from '../patch/index.ts';
import { readObject } from '../schema/index.ts';

interface Operation {
  op?: string;
  path?: string;
}

/** Throws PatchProblem when an operation cannot be done. */
export const patched = (object: KubeObject, operations: readonly object[]): KubeObject => {
  let result = object;
  for (const operation of operations) {
    try {
      result = applyJsonPatch(result, [operation]);
    } catch (error) {
      if (!(error instanceof PatchFailed)) throw error;
      throw new PatchProblem(describe(operation, error), { cause: error });
    }
  }
  return result;
};

export class PatchProblem extends Error {
  /** A `test` did not hold, as opposed to an operation that cannot be done. */
  get isFailedTest(): boolean {
    return this.message.endsWith(': test failed');
  }
}

/** What the webhook or policy made of the object, as its kind: unknown fields dropped, defaults filled in. */
export const asKind = (type: ResourceType, subresource: string, object: KubeObject): KubeObject => {
  if (subresource === 'scale') return object;
  let decoded: KubeObject;
  try {
    decoded = readObject(type, object);
  } catch (error) {
    throw internal((error as Error).message);
  }
  decoded.apiVersion ??= object.apiVersion;
  decoded.kind ??= object.kind;
  type.default?.(decoded);
  return decoded;
};

/** In the words of the API server's JSON patch library. */
const describe = ({ op = '', path = '' }: Operation, { cause, message }: PatchFailed): string => {
  const kind = (cause as Error | undefined)?.name;
  if (op === 'test') return `testing value ${path} failed: test failed`;
  if (kind === 'MissingError') {
    if (op === 'replace') return `replace operation does not apply: doc is missing key: ${path}: missing value`;
    return `${op} operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`;
  }
  return kind === 'InvalidOperationError' ? `Unexpected kind: ${op}` : message;
};
