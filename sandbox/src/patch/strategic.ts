// Strategic merge patch: a merge patch with list maps (merged by key) and directives ($patch, $retainKeys, …).
import type { Schema } from '../core/types.ts';
import { goText, isObject } from './values.ts';
import type { Values } from './values.ts';

/** The patch is not applicable. `status`: the answer of the API server, 400, 422 or 500. */
export class StrategicPatchError extends Error {
  override readonly name = 'StrategicPatchError';
  readonly status: 400 | 422 | 500;
  constructor(message: string, status: 400 | 422 | 500 = 500) {
    super(message);
    this.status = status;
  }
}

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const ELEMENT_ORDER = '$setElementOrder/';

/** How to merge a field. */
interface Merging {
  strategy: string;
  mergeKey: string;
  /** Schema of the object, or of the items of the list. */
  schema: Schema;
}

/** Returns a patched copy. Unchanged parts are shared with the original. */
export function applyStrategicMergePatch<T extends object>(
  object: T,
  patch: object,
  schema: Schema,
  definitions: Record<string, Schema>,
): T {
  return new Patcher(definitions).mergeMap(object as Values, { ...(patch as Values) }, schema) as T;
}

class Patcher {
  private readonly definitions: Record<string, Schema>;

  constructor(definitions: Record<string, Schema>) {
    this.definitions = definitions;
  }

  /** Merges a patch into an object. Changes neither. */
  mergeMap(given: Values, givenPatch: Values, schema: Schema): Values {
    const patch = { ...givenPatch };
    if (DIRECTIVE in patch) {
      const directive = patch[DIRECTIVE];
      delete patch[DIRECTIVE];
      if (directive === 'replace') return patch;
      if (directive === 'delete') return {};
      throw new StrategicPatchError(`unknown patch type: ${goText(directive)} in map: ${goText(givenPatch)}`);
    }
    const original = this.retainKeys(given, patch);
    this.mergeOrderedLists(original, patch, schema);
    for (const [key, value] of Object.entries(patch)) this.mergeField(original, key, value, schema);
    return original;
  }

  /** A copy of the original, reduced to the keys in $retainKeys if the patch has it. */
  private retainKeys(original: Values, patch: Values): Values {
    if (!(RETAIN_KEYS in patch)) return { ...original };
    const keep = patch[RETAIN_KEYS];
    delete patch[RETAIN_KEYS];
    if (!Array.isArray(keep)) throw new StrategicPatchError('invalid patch format of retainKeys', 400);
    for (const [key, value] of Object.entries(patch)) {
      if (value === null || key.startsWith(DELETE_FROM) || key.startsWith(ELEMENT_ORDER)) continue;
      if (!keep.includes(key)) throw new StrategicPatchError('invalid patch format of retainKeys', 400);
    }
    return Object.fromEntries(Object.entries(original).filter(([key]) => keep.includes(key)));
  }

  private mergeField(original: Values, key: string, value: unknown, schema: Schema): void {
    const isDeletion = key.startsWith(DELETE_FROM);
    const field = isDeletion ? key.slice(DELETE_FROM.length) : key;
    if (value === null) {
      delete original[field];
      return;
    }
    const current = original[field];
    if (!(field in original) || typeName(current) !== typeName(value)) {
      if (isDeletion) return;
      const added = withoutDirectives(withoutNulls(value));
      if (added === undefined) delete original[field];
      else original[field] = added;
      return;
    }
    if (isObject(value)) {
      const merging = this.lookUp(schema, field);
      original[field] =
        merging.strategy === 'replace' ? value : this.mergeMap(current as Values, value, merging.schema);
    } else if (Array.isArray(value)) {
      original[field] = this.mergeList(current as unknown[], value, this.lookUp(schema, field), isDeletion);
    } else original[field] = value;
  }

  /** Handles lists with $setElementOrder and $deleteFromPrimitiveList: merges, sorts, and removes both from the patch. */
  private mergeOrderedLists(original: Values, patch: Values, schema: Schema): void {
    for (const [key, order] of Object.entries(patch)) {
      if (!key.startsWith(ELEMENT_ORDER)) continue;
      delete patch[key];
      const field = key.slice(ELEMENT_ORDER.length);
      const current = original[field];
      const change = patch[field];
      for (const list of [order, current, change]) {
        if (list != null && !Array.isArray(list))
          throw new StrategicPatchError(`expected a []interface {}, but received a ${goType(list)}`);
      }
      const [orderList, currentList, patchList] = [order, current, change] as [unknown[], unknown[]?, unknown[]?];
      const merging = this.lookUp(schema, field);
      checkOrder(patchList ?? [], orderList, merging.mergeKey);
      if (!currentList && !patchList) continue;
      const merged = !patchList
        ? currentList!
        : !currentList
          ? (withoutDirectives(patchList) as unknown[])
          : this.mergeList(currentList, patchList, merging, false);
      original[field] = inOrder(merged, orderList, currentList ?? [], merging.mergeKey);
      delete patch[field];
    }
  }

  private mergeList(current: unknown[], change: unknown[], merging: Merging, isDeletion: boolean): unknown[] {
    if (merging.strategy !== 'merge' && !isDeletion) return change;
    if (!current.length && !change.length) return current;
    checkElements(current, change);
    if (!isObject(current[0] ?? change[0])) {
      if (isDeletion) return current.filter((item) => !change.includes(item));
      return inOrder([...new Set([...current, ...change])], change, current, '');
    }
    if (!merging.mergeKey) throw new StrategicPatchError('cannot merge lists without merge key for ');
    const { base, items } = this.applyElementDirectives(current as Values[], change as Values[], merging.mergeKey);
    const merged = [...base];
    for (const item of items) {
      const value = keyOf(item, merging.mergeKey);
      const at = merged.findIndex((existing) => existing[merging.mergeKey] === value);
      if (at < 0) merged.push(item);
      else merged[at] = this.mergeMap(merged[at]!, item, merging.schema);
    }
    return inOrder(merged, items, base, merging.mergeKey);
  }

  /** `$patch: delete` and `$patch: replace` among the items of a list. */
  private applyElementDirectives(
    current: Values[],
    change: Values[],
    mergeKey: string,
  ): { base: Values[]; items: Values[] } {
    let base = current;
    let replace = false;
    const items: Values[] = [];
    for (const item of change) {
      if (!(DIRECTIVE in item)) items.push(item);
      else if (item[DIRECTIVE] === 'delete') {
        const value = keyOf(item, mergeKey);
        base = base.filter((existing) => existing[mergeKey] !== value);
      } else if (item[DIRECTIVE] === 'replace') replace = true;
      else if (item[DIRECTIVE] === 'merge')
        throw new StrategicPatchError('merging lists cannot yet be specified in the patch');
      else throw new StrategicPatchError(`unknown patch type: ${goText(item[DIRECTIVE])} in map: ${goText(item)}`);
    }
    return replace ? { base: items, items: [] } : { base, items };
  }

  /** How to merge a field, from the schema of its object. */
  private lookUp(schema: Schema, field: string): Merging {
    const owner = this.resolve(schema);
    const property = owner.properties?.[field];
    const found =
      property ?? (typeof owner.additionalProperties === 'object' ? owner.additionalProperties : undefined) ?? {};
    const target = this.resolve(found);
    const strategies = (property?.['x-kubernetes-patch-strategy'] ?? '').split(',').filter((s) => s !== 'retainKeys');
    return {
      strategy: strategies[0] ?? '',
      mergeKey: property?.['x-kubernetes-patch-merge-key'] ?? '',
      schema: target.type === 'array' ? this.resolve(target.items ?? {}) : target,
    };
  }

  private resolve(schema: Schema): Schema {
    if (!schema.$ref) return schema;
    return this.definitions[schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)] ?? {};
  }
}

const typeName = (value: unknown): string => (Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value);

const goType = (value: unknown): string =>
  isObject(value)
    ? 'map[string]interface {}'
    : Array.isArray(value)
      ? '[]interface {}'
      : typeof value === 'number'
        ? 'int64'
        : typeof value === 'boolean'
          ? 'bool'
          : 'string';

function keyOf(item: unknown, mergeKey: string): unknown {
  if (!isObject(item))
    throw new StrategicPatchError(`expected a map[string]interface {}, but received a ${goType(item)}`);
  if (!(mergeKey in item))
    throw new StrategicPatchError(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
  return item[mergeKey];
}

/** Checks that the items of both lists are all objects, or all scalars of one type. */
function checkElements(current: unknown[], change: unknown[]): void {
  const types = new Set([...current, ...change].map(goType));
  if (types.has('[]interface {}')) throw new StrategicPatchError('lists of lists are not supported', 422);
  if (types.size > 1) throw new StrategicPatchError('list element types are not identical: ' + [...types].join(', '));
}

/** Items of the patch are in the order of the patch. */
function checkOrder(change: unknown[], order: unknown[], mergeKey: string): void {
  if (!change.length || !order.length) return;
  const items = change.filter((item) => !isObject(item) || !(DIRECTIVE in item));
  let found = 0;
  for (const wanted of order) {
    if (found === items.length) return;
    const same = mergeKey ? keyOf(items[found], mergeKey) === keyOf(wanted, mergeKey) : items[found] === wanted;
    if (same) found++;
  }
  if (found < items.length)
    throw new StrategicPatchError(
      `The order in patch list:\n${goText(change)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`,
    );
}

/** Items of the patch in its order. The others keep their position relative to their previous neighbours. */
function inOrder(items: unknown[], order: unknown[], before: unknown[], mergeKey: string): unknown[] {
  const key = (item: unknown): unknown => (mergeKey ? keyOf(item, mergeKey) : item);
  const places = (list: unknown[]): Map<unknown, number> => {
    const map = new Map<unknown, number>();
    list.forEach((item, i) => {
      const value = mergeKey && isObject(item) ? item[mergeKey] : item;
      if (!map.has(value)) map.set(value, i);
    });
    return map;
  };
  const [wanted, was] = [places(order), places(before)];
  const by = (map: Map<unknown, number>) => (a: unknown, b: unknown) => (map.get(key(a)) ?? 0) - (map.get(key(b)) ?? 0);
  const fromPatch = items.filter((item) => wanted.has(key(item))).sort(by(wanted));
  const others = items.filter((item) => !wanted.has(key(item))).sort(by(was));
  const result: unknown[] = [];
  let [i, j] = [0, 0];
  while (i < others.length || j < fromPatch.length) {
    const left = i < others.length ? was.get(key(others[i])) : undefined;
    const right = j < fromPatch.length ? was.get(key(fromPatch[j])) : undefined;
    const takeOther = j >= fromPatch.length || (left !== undefined && right !== undefined && left < right);
    if (takeOther) result.push(others[i++]);
    else result.push(fromPatch[j++]);
  }
  return result;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== null)
      .map(([key, child]) => [key, withoutNulls(child)]),
  );
}

/** Removes directives from an added value. Undefined if the value itself is a directive. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (DIRECTIVE in value) return undefined;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, child]) => [key, withoutDirectives(child)] as const)
      .filter(([, child]) => child !== undefined),
  );
}
