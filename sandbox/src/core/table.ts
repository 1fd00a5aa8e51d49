// Tables (meta.k8s.io/v1) for kubectl, and metadata-only objects.
import { apiVersionOf, NAME_COLUMN } from './resources.ts';
import type { Column, KubeObject, ResourceType } from './types.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

const META = 'meta.k8s.io/v1';

export const CREATION_DOC =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';

/** A time as an age: `5s`, `3m20s`, `2d`. */
export function age(time: unknown, now: number): string {
  if (typeof time !== 'string') return '<unknown>';
  const ms = now - Date.parse(time);
  if (Number.isNaN(ms)) return '<invalid>';
  return humanDuration(ms);
}

export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  const two = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
  const minutes = Math.trunc(seconds / 60);
  const hours = Math.trunc(minutes / 60);
  const days = Math.trunc(hours / 24);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (hours < 192) return two(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  if (hours < 24 * 365 * 8) return two(Math.trunc(days / 365), 'y', days % 365, 'd');
  return `${Math.trunc(days / 365)}y`;
}

export const AGE_COLUMN: Column = {
  name: 'Age',
  type: 'string',
  description: CREATION_DOC,
  priority: 0,
  value: ({ metadata }, now) => age(metadata.creationTimestamp, now),
};

const CUSTOM_AGE: Column = { ...AGE_COLUMN, type: 'date', value: '.metadata.creationTimestamp' };

/** The first column is the name. A kind without columns shows its age. */
function columnsOf(type: ResourceType): Column[] {
  const columns = type.columns.length ? type.columns : [type.custom ? CUSTOM_AGE : AGE_COLUMN];
  return columns.some(({ name }) => name === 'Name') ? columns : [NAME_COLUMN, ...columns];
}

const definition = ({ name, type, format, description, priority }: Column): object => ({
  name,
  type,
  format: format ?? '',
  description: description ?? '',
  priority,
});

/** The JSON paths of printer columns: `.a.b`, `.a['b']`, `.a[0]`, `.a[?(@.type=="x")].b`. */
const STEP =
  /\.?\['((?:[^'\\]|\\.)*)'\]|\.?\["((?:[^"\\]|\\.)*)"\]|\[(-?\d+|\*)\]|\[\?\(@((?:\.[\w-]+)+)\s*==\s*(?:"([^"]*)"|'([^']*)')\)\]|\.((?:[^.[\\]|\\.)+)/y;

export function readPath(object: unknown, path: string): unknown {
  let values: unknown[] = [object];
  const text = path.replace(/^\{|\}$/g, '').replace(/^\$/, '');
  for (let at = 0; at < text.length;) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (!match) return undefined;
    at = STEP.lastIndex;
    const [, quoted, quoted2, index, filter, equal, equal2, plain] = match;
    const key = (quoted ?? quoted2 ?? plain)?.replace(/\\(.)/g, '$1');
    values = values.flatMap((value) => {
      if (key !== undefined) {
        const next = (value as Record<string, unknown> | null | undefined)?.[key];
        return next === undefined ? [] : [next];
      }
      if (!Array.isArray(value)) return [];
      if (filter !== undefined) return value.filter((item) => readPath(item, filter) === (equal ?? equal2));
      return index === '*' ? (value as unknown[]) : value.slice(Number(index), Number(index) + 1 || undefined);
    });
  }
  return values[0];
}

function customCell(column: Column, object: KubeObject, now: number): unknown {
  const value = readPath(object, column.value as string);
  if (value === undefined || value === null) return null;
  switch (column.type) {
    case 'string':
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? age(value, now) : null;
    default:
      return null;
  }
}

const cells = (columns: Column[], object: KubeObject, now: number): unknown[] =>
  columns.map((column) =>
    typeof column.value === 'function' ? column.value(object, now) : customCell(column, object, now),
  );

export const partial = (object: KubeObject): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: META,
  metadata: object.metadata,
});

export function table(
  type: ResourceType,
  objects: readonly KubeObject[],
  metadata: Record<string, unknown>,
  include: IncludeObject,
  now: number,
  headers = true,
): KubeObject {
  const columns = columnsOf(type);
  return {
    kind: 'Table',
    apiVersion: META,
    metadata: metadata as unknown as KubeObject['metadata'],
    columnDefinitions: headers ? columns.map(definition) : null,
    rows: objects.map((object) => ({
      cells: cells(columns, object, now),
      object: include === 'None' ? null : include === 'Object' ? withKind(type, object) : partial(object),
    })),
  };
}

export const withKind = (type: ResourceType, object: KubeObject): KubeObject => ({
  ...object,
  kind: type.kind,
  apiVersion: apiVersionOf(type.group, type.version),
});
