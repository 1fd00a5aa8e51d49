// The three kinds of patches that change an object. Server-side apply is in apply/.
import { ApiError } from '../core/types.ts';
import type { KubeObject, ResourceType } from '../core/types.ts';
import { definitionName, JsonSyntaxError, parseJson, readObject, strictError, badRequest } from '../schema/index.ts';
import type { Decoded, FieldValidation } from '../schema/index.ts';
import { TypeMismatch } from '../schema/read.ts';
import { applyJsonPatch, MAX_OPERATIONS, PatchFailed } from './json.ts';
import { applyMergePatch } from './merge.ts';
import { applyStrategicMergePatch, StrategicPatchError } from './strategic.ts';
import { goText, isObject } from './values.ts';

export { applyJsonPatch, PatchFailed } from './json.ts';
export { applyMergePatch } from './merge.ts';
export { applyStrategicMergePatch, StrategicPatchError } from './strategic.ts';
export { deepEqual, goText } from './values.ts';

export type PatchType =
  'application/json-patch+json' | 'application/merge-patch+json' | 'application/strategic-merge-patch+json';

const OPERATION_FIELDS = new Set(['op', 'path', 'from', 'value']);

/**
 * Returns a patched copy of the object, decoded as its type. Throws ApiError as the API server answers.
 * `trusted` skips the decoding, for valid patches from the same process.
 */
export function applyPatch(request: {
  type: ResourceType;
  object: KubeObject;
  patchType: PatchType;
  body: Uint8Array | object;
  validation: FieldValidation;
  trusted?: boolean;
}): Decoded {
  const { type, object, patchType, body, validation } = request;
  const { patch, duplicates } = parsePatch(patchType, body);
  const strict = duplicates.map((path) => `duplicate field "${path}"`);
  const patched = applyTo(object, patchType, patch, type, strict);
  if (request.trusted) return { object: patched as KubeObject, warnings: [] };
  const strategic = patchType === 'application/strategic-merge-patch+json';
  const invalid = (problem: string): ApiError =>
    invalidPatch(strategic ? goText(patch) : JSON.stringify(patched), problem);
  const unknown: string[] = [];
  let result: KubeObject;
  try {
    if (!isObject(patched)) throw new TypeMismatch(`json: cannot unmarshal into Go value of type ${type.kind}`);
    result = readObject(type, patched, { unknown, source: strategic ? 'converter' : 'json' });
  } catch (error) {
    if (error instanceof TypeMismatch) throw invalid(error.message);
    throw error;
  }
  if (definitionName(type.group, type.version, type.kind)) {
    result.apiVersion = object.apiVersion;
    result.kind = object.kind;
  }
  const problems = [...strict, ...unknown.map((path) => `unknown field "${path}"`)];
  if (problems.length && validation === 'Strict') throw invalid(strictError(problems));
  return { object: result, warnings: validation === 'Warn' ? problems : [] };
}

function applyTo(
  object: KubeObject,
  patchType: PatchType,
  patch: unknown,
  type: ResourceType,
  strict: string[],
): unknown {
  switch (patchType) {
    case 'application/json-patch+json': {
      const operations = patch as object[];
      if (operations.length > MAX_OPERATIONS)
        throw new ApiError({
          code: 413,
          reason: 'RequestEntityTooLarge',
          message: `Request entity is too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${operations.length}`,
        });
      operations.forEach((operation, i) => {
        for (const field of Object.keys(operation))
          if (!OPERATION_FIELDS.has(field)) strict.push(`json patch unknown field "[${i}].${field}"`);
      });
      try {
        return applyJsonPatch(object, operations);
      } catch (error) {
        if (error instanceof PatchFailed) throw unprocessable();
        throw error;
      }
    }
    case 'application/merge-patch+json':
      return applyMergePatch(object, patch);
    case 'application/strategic-merge-patch+json':
      try {
        return applyStrategicMergePatch(object, patch as object, type.schema, type.definitions);
      } catch (error) {
        if (!(error instanceof StrategicPatchError)) throw error;
        if (error.status === 400) throw badRequest(error.message);
        if (error.status === 422) throw unprocessable();
        throw new ApiError({ code: 500, reason: '', message: error.message });
      }
  }
}

/** The patch as a value of the form that its type requires. */
function parsePatch(patchType: PatchType, body: Uint8Array | object): { patch: unknown; duplicates: string[] } {
  const isJsonPatch = patchType === 'application/json-patch+json';
  const prefix = patchType === 'application/strategic-merge-patch+json' ? '' : 'error decoding patch: ';
  let patch: unknown = body;
  let duplicates: string[] = [];
  if (body instanceof Uint8Array) {
    try {
      ({ value: patch, duplicates } = parseJson(body));
    } catch (error) {
      if (error instanceof JsonSyntaxError) throw badRequest(`${prefix}${error.message}`);
      throw error;
    }
  }
  const wanted = isJsonPatch ? '[]handlers.jsonPatchOp' : 'map[string]interface {}';
  const fits = isJsonPatch ? Array.isArray(patch) && patch.every(isObject) : isObject(patch);
  if (!fits) {
    const what = Array.isArray(patch)
      ? 'array'
      : patch === null
        ? 'null'
        : typeof patch === 'boolean'
          ? 'bool'
          : typeof patch;
    throw badRequest(`${prefix}json: cannot unmarshal ${what} into Go value of type ${wanted}`);
  }
  if (isJsonPatch) checkOperations(patch as object[]);
  return { patch, duplicates };
}

/** Checks the types of operations. Other errors appear when they are applied. */
function checkOperations(operations: object[]): void {
  for (const operation of operations) {
    for (const [key, value] of Object.entries(operation)) {
      if (key === 'value' || !OPERATION_FIELDS.has(key) || value === null || typeof value === 'string') continue;
      const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
      throw badRequest(
        `error decoding patch: json: cannot unmarshal ${what} into Go struct field jsonPatchOp.${key} of type string`,
      );
    }
  }
}

const unprocessable = (): ApiError =>
  new ApiError({
    code: 422,
    reason: 'Invalid',
    message: 'the server rejected our request due to an error in our request',
    details: {},
  });

function invalidPatch(value: string, problem: string): ApiError {
  const message = `Invalid value: ${JSON.stringify(value)}: ${problem}`;
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: ` "" is invalid: patch: ${message}`,
    details: { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] },
  });
}
