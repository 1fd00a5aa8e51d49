// Decodes the body of a request: type errors, unknown and duplicate fields, with the texts of the API server.
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

/** Joins `unknown field "a", unknown field "b"` into one error. */
export const strictError = (problems: string[]): string => `strict decoding error: ${problems.join(', ')}`;

/**
 * Reads a value as an object of the kind. Native kinds lose unknown fields, custom resources are pruned.
 * Throws TypeMismatch. `unknown` collects the dropped fields.
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

/** Reads a body, or an object from the same process, as an object of the type. Throws ApiError (400) as the API server answers. */
export function decode(
  type: ResourceType,
  body: Uint8Array | object,
  { validation, yaml = false }: { validation: FieldValidation; yaml?: boolean },
): Decoded {
  const { value, duplicates } =
    body instanceof Uint8Array ? parseBody(type.kind, body, yaml) : { value: body, duplicates: [] };
  const native = definitionName(type.group, type.version, type.kind) !== undefined;
  const given = headOf(type, value, body, native);
  const wrap = (message: string): ApiError =>
    badRequest(`${given.kind} in version "${given.version}" cannot be handled as a ${type.kind}: ${message}`);
  if (native) checkNativeKind(type, given, wrap);
  const [actual, expected] = [versionText(given), versionText(type)];
  if (actual !== expected)
    throw badRequest(`the API version in the data (${actual}) does not match the expected API version (${expected})`);
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

const versionText = ({ group, version }: { group: string; version: string }): string =>
  group ? `${group}/${version}` : version;

/** The error for another native kind, which cannot be converted, or for an unknown kind. */
function checkNativeKind(type: ResourceType, given: GroupVersionKind, wrap: (message: string) => ApiError): void {
  const isKnown = definitionName(given.group, given.version, given.kind) !== undefined;
  if (!isKnown)
    throw wrap(
      `no kind "${given.kind}" is registered for version "${versionText(given)}" in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"`,
    );
  if (given.kind === type.kind) return;
  const from = `${given.version}.${given.kind}`;
  const to = `${type.group ? type.group.split('.')[0] : 'core'}.${type.kind}`;
  throw wrap(`converting (${from}) to (${to}): unknown conversion`);
}

/** Parses a text. Throws the errors of the API server for invalid JSON (or YAML). */
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

/** apiVersion and kind of the object. For native kinds, the defaults come from the request. */
function headOf(type: ResourceType, value: unknown, body: Uint8Array | object, native: boolean): GroupVersionKind {
  const unrecognized = (problem: string): ApiError =>
    badRequest(
      `the object provided is unrecognized (must be of type ${type.kind}): ${problem} (${
        body instanceof Uint8Array ? summarize(body) : '<in process>'
      })`,
    );
  const unreadable = (problem: string): ApiError =>
    unrecognized(`couldn't get version/kind; json parse error: ${problem}`);
  if (value !== null && !isObject(value))
    throw unreadable(`json: cannot unmarshal ${jsonType(value)} into Go value of type ${HEAD_TYPE}`);
  const head: Record<string, unknown> = value ?? {};
  for (const key of ['apiVersion', 'kind']) {
    if (head[key] != null && typeof head[key] !== 'string')
      throw unreadable(`json: cannot unmarshal ${jsonType(head[key])} into Go struct field .${key} of type string`);
  }
  const [apiVersion, kind] = [(head['apiVersion'] as string) || '', (head['kind'] as string) || ''];
  if (!native && !kind) {
    const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : JSON.stringify(body);
    throw unrecognized(`Object 'Kind' is missing in '${text}'`);
  }
  if (!apiVersion && native) return { group: type.group, version: type.version, kind: kind || type.kind };
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/', 2) as [string, string]) : ['', apiVersion];
  return { group, version, kind: kind || type.kind };
}

const jsonType = (value: unknown): string =>
  Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;

/** The first 30 bytes: as text if they look like an object, otherwise in hexadecimal. */
function summarize(body: Uint8Array): string {
  if (body.length === 0) return '<empty>';
  const start = Buffer.from(body.subarray(0, 30));
  return `${body[0] === 0x7b ? start.toString() : start.toString('hex')}${body.length > 30 ? ' ...' : ''}`;
}
