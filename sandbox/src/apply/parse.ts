// Parses the body of an apply patch, YAML or JSON, without decoding it.
import { LineCounter, parseDocument } from 'yaml';
import type { KubeObject } from '../core/types.ts';
import { isObject } from '../patch/values.ts';
import { badRequest, parseJson } from '../schema/index.ts';
import type { FieldValidation } from '../schema/index.ts';

/** Parses JSON, the usual and fast case. Undefined if the text needs the full parser. */
function asJson(text: string): KubeObject | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    const { value, duplicates } = parseJson(text);
    return duplicates.length ? undefined : (value as KubeObject);
  } catch {
    return undefined;
  }
}

/** Returns the body of an apply patch, and a warning about duplicate keys. Throws ApiError (400). */
export function parseApply(
  body: Uint8Array | object,
  validation: FieldValidation,
): { applied: KubeObject; warnings: string[] } {
  if (!(body instanceof Uint8Array)) return { applied: body as KubeObject, warnings: [] };
  const text = new TextDecoder().decode(body);
  const json = asJson(text);
  if (json) return { applied: json, warnings: [] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const duplicates = document.errors.filter(({ code }) => code === 'DUPLICATE_KEY');
  const [broken] = document.errors.filter(({ code }) => code !== 'DUPLICATE_KEY');
  const converting = 'error converting YAML to JSON: yaml: ';
  if (broken)
    throw badRequest(`error decoding patch: ${converting}line ${lines.linePos(broken.pos[0]).line}: ${broken.message}`);
  const value: unknown = document.toJS();
  if (!isObject(value)) {
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    throw badRequest(
      `error decoding patch: error unmarshaling JSON: json: cannot unmarshal ${what} into Go value of type map[string]interface {}`,
    );
  }
  const applied = value as unknown as KubeObject;
  if (!duplicates.length || validation === 'Ignore') return { applied, warnings: [] };
  const told = duplicates.map(({ pos: [start] }) => {
    const key = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^:\s]+))/.exec(text.slice(start));
    return `\n  line ${lines.linePos(start).line}: key ${JSON.stringify(key?.[1] ?? key?.[2] ?? key?.[3] ?? '')} already set in map`;
  });
  const problem = `${converting}unmarshal errors:${told.join('')}`;
  if (validation === 'Strict') throw badRequest(`error strict decoding patch: ${problem}`);
  return { applied, warnings: [problem] };
}
