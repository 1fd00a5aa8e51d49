// Applies a JSON patch from a webhook or policy, then decodes the object as its kind and sets defaults.
import { internal } from '../core/errors.ts';
import type { KubeObject, ResourceType } from '../core/types.ts';
import { applyJsonPatch, PatchFailed } from '../patch/index.ts';
import { readObject } from '../schema/index.ts';

interface Operation {
  op?: string;
  path?: string;
}

/** Throws PatchProblem if an operation fails. */
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
  /** A `test` operation failed. Other failures are PatchProblems. */
  get isFailedTest(): boolean {
    return this.message.endsWith(': test failed');
  }
}

/** Decodes the changed object as its kind: drops unknown fields and sets defaults. */
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

/** The error text of the API server's JSON patch library. */
const describe = ({ op = '', path = '' }: Operation, { cause, message }: PatchFailed): string => {
  const kind = (cause as Error | undefined)?.name;
  if (op === 'test') return `testing value ${path} failed: test failed`;
  if (kind === 'MissingError') {
    if (op === 'replace') return `replace operation does not apply: doc is missing key: ${path}: missing value`;
    return `${op} operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`;
  }
  return kind === 'InvalidOperationError' ? `Unexpected kind: ${op}` : message;
};
