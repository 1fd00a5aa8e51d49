// From the body of a request to an object: type errors, unknown and duplicate fields, in the words of the API server.
import { parse as parseYaml } from 'yaml';
import { ApiError } from '../core/types.ts';
import type { KubeObject, ResourceType } from '../core/types.ts';
import { prune } from '../crd/prune.ts';
import { definitionName } from './definitions.ts';
import type { GroupVersionKind } from './definitions.ts';
import { JsonSyntaxError, parseJson } from './json.ts';
import { isObject, read, TypeMismatch } from './read.ts';
import type { ReadOptions } from './read.ts';
import { typeOf } from './types.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface Decoded {
  object: KubeObject;
  warnings: string[];
}

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const HEAD_TYPE =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

export const badRequest = (message: string): ApiError => new ApiError({ code: 400, reason: 'BadRequest', message });

/** `unknown field "a", unknown field "b"` as one error. */
export const strictError = (problems: string[]): string => `strict decoding error: ${problems.join(', ')}`;

/**
 * Reads a value as an object of the kind: native kinds lose what their type does not have, custom resources are pruned.
 * Throws TypeMismatch. `unknown` collects what was dropped.
 */
export function readObject(
  type: Pick<ResourceType, 'group' | 'version' | 'kind' | 'schema' | 'definitions'>,
  value: Record<string, unknown>,
  options: ReadOptions = {},
): KubeObject {
  const name = definitionName(type.group, type.version, type.kind);
  if (name) return read(typeOf(name), value, options) as KubeObject;
  if (!value['kind'] || typeof value['kind'] !== 'string')
    throw new TypeMismatch(`Object 'Kind' is missing in '${JSON.stringify(value)}'`);
  const unknown: string[] = [];
  const metadata = read(typeOf(OBJECT_META), value['metadata'] ?? {}, { ...options, unknown });
  options.unknown?.push(...unknown.map((path) => `metadata.${path}`));
  const { object, pruned } = prune({ ...value, metadata }, type.schema, { root: true });
  options.unknown?.push(...pruned);
  return object as unknown as KubeObject;
}

/** A body, or an object from within the process, as an object of the type. Throws ApiError (400) as the API server answers. */
export function decode(
  type: ResourceType,
  body: Uint8Array | object,
  { validation, yaml = false }: { validation: FieldValidation; yaml?: boolean },
): Decoded {
  const { value, duplicates } =
    body instanceof Uint8Array ? parseBody(type.kind, body, yaml) : { value: body, duplicates: [] };
  const given = headOf(type, value, body);
  const wrap = (message: string): ApiError =>
    badRequest(`${given.kind} in version "${given.version}" cannot be handled as a ${type.kind}: ${message}`);
  const expected = type.group ? `${type.group}/${type.version}` : type.version;
  const actual = given.group ? `${given.group}/${given.version}` : given.version;
  const native = definitionName(type.group, type.version, type.kind) !== undefined;
  if (native && given.kind !== type.kind) {
    if (definitionName(given.group, given.version, given.kind))
      throw wrap(
        `converting (${goName(given, given.version)}) to (${goName(type, packageOf(type.group))}): unknown conversion`,
      );
    throw wrap(
      `no kind "${given.kind}" is registered for version "${actual}" in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"`,
    );
  }
  if (actual !== expected && (!native || definitionName(given.group, given.version, given.kind)))
    throw badRequest(`the API version in the data (${actual}) does not match the expected API version (${expected})`);
  if (actual !== expected)
    throw wrap(
      `no kind "${given.kind}" is registered for version "${actual}" in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"`,
    );
  const problems = duplicates.map((path) => `duplicate field "${path}"`);
  let object: KubeObject;
  try {
    const unknown: string[] | undefined = validation === 'Ignore' ? undefined : [];
    object = readObject(type, value as Record<string, unknown>, unknown ? { unknown } : {});
    problems.push(...(unknown ?? []).map((path) => `unknown field "${path}"`));
  } catch (error) {
    if (error instanceof TypeMismatch) throw wrap(error.message);
    throw error;
  }
  object.apiVersion = expected;
  object.kind = given.kind;
  if (problems.length && validation === 'Strict') throw wrap(strictError(problems));
  return { object, warnings: validation === 'Warn' ? problems : [] };
}

/** Text to value; the errors of the API server for what is no JSON (or YAML). */
function parseBody(kind: string, body: Uint8Array, yaml: boolean): { value: unknown; duplicates: string[] } {
  const unrecognized = (problem: string): ApiError =>
    badRequest(`the object provided is unrecognized (must be of type ${kind}): ${problem} (${summarize(body)})`);
  try {
    if (yaml) return { value: parseYaml(new TextDecoder().decode(body)) as unknown, duplicates: [] };
    return parseJson(body);
  } catch (error) {
    if (error instanceof JsonSyntaxError)
      throw unrecognized(`couldn't get version/kind; json parse error: ${error.message}`);
    throw unrecognized(`error converting YAML to JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What the object says it is; what it leaves out is as the request expects. */
function headOf(type: ResourceType, value: unknown, body: Uint8Array | object): GroupVersionKind {
  const unrecognized = (problem: string): ApiError =>
    badRequest(
      `the object provided is unrecognized (must be of type ${type.kind}): couldn't get version/kind; json parse error: ${problem} (${
        body instanceof Uint8Array ? summarize(body) : '<in process>'
      })`,
    );
  if (value === null) return type;
  if (!isObject(value)) {
    const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    throw unrecognized(`json: cannot unmarshal ${what} into Go value of type ${HEAD_TYPE}`);
  }
  for (const key of ['apiVersion', 'kind']) {
    const given = value[key];
    if (given == null || typeof given === 'string') continue;
    const what = Array.isArray(given) ? 'array' : typeof given === 'boolean' ? 'bool' : typeof given;
    throw unrecognized(`json: cannot unmarshal ${what} into Go struct field .${key} of type string`);
  }
  const apiVersion = (value['apiVersion'] as string | null | undefined) || '';
  const kind = (value['kind'] as string | null | undefined) || type.kind;
  if (!apiVersion) return { group: type.group, version: type.version, kind };
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/', 2) as [string, string]) : ['', apiVersion];
  return { group, version, kind };
}

const packageOf = (group: string): string => (group ? group.split('.')[0]! : 'core');
const goName = (gvk: GroupVersionKind, where: string): string => `${where}.${gvk.kind}`;

/** The first 30 bytes: as text when it looks like an object, in hexadecimal when not. */
function summarize(body: Uint8Array): string {
  if (body.length === 0) return '<empty>';
  const start = Buffer.from(body.subarray(0, 30));
  return `${body[0] === 0x7b ? start.toString() : start.toString('hex')}${body.length > 30 ? ' ...' : ''}`;
}
