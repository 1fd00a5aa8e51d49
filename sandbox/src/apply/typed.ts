// Values with their types: lists fields, compares, merges and removes fields.
import { deepEqual, isObject } from '../patch/values.ts';
import type { Values } from '../patch/values.ts';
import type { Atom, ListAtom, MapAtom } from './atoms.ts';
import { fieldEdge, FieldSet, keyEdge, valueEdge } from './set.ts';
import type { Path } from './set.ts';

/** The form of the type that the value has. All forms for null and for values that do not fit. */
export function deduce(atom: Atom, value: unknown): Atom {
  if (value === undefined || value === null) return atom;
  if (Array.isArray(value)) return atom.list ? { list: atom.list } : atom;
  if (isObject(value)) return atom.map ? { map: atom.map } : atom;
  return atom.scalar ? { scalar: atom.scalar } : atom;
}

const sameForm = (a: Atom, b: Atom): boolean => a.map === b.map && a.list === b.list && a.scalar === b.scalar;

const asMap = (value: unknown): Values | undefined => (isObject(value) ? value : undefined);
const asList = (value: unknown): unknown[] | undefined => (Array.isArray(value) ? (value as unknown[]) : undefined);
const isEmptyMap = (value: unknown): boolean => !asMap(value) || Object.keys(value as Values).length === 0;
const isEmptyList = (value: unknown): boolean => !asList(value)?.length;

const untypedElement = (): Atom => ({});
export const typeOfField = (map: MapAtom, key: string): Atom =>
  (map.fields.get(key)?.type ?? map.element ?? untypedElement)();

/** The edge of an item of a set or list map, or an error. */
export function edgeOf(list: ListAtom, item: unknown): { edge: string } | { problem: string } {
  if (!list.keys.length) {
    if (isObject(item)) return { problem: "associative list without keys has an element that's a map type" };
    if (Array.isArray(item)) return { problem: 'not supported: associative list with lists as elements' };
    if (item === null) return { problem: "associative list without keys has an element that's an explicit null" };
    return { edge: valueEdge(item) };
  }
  if (item === null) return { problem: 'associative list with keys may not have a null element' };
  if (!isObject(item)) return { problem: 'associative list with keys may not have non-map elements' };
  const keys: Values = {};
  for (const key of list.keys) {
    const value = key in item ? item[key] : list.element().map?.fields.get(key)?.default;
    if (value !== undefined) keys[key] = value;
  }
  if (Object.keys(keys).length) return { edge: keyEdge(keys) };
  const names = `[${list.keys.map((key) => JSON.stringify(key)).join(' ')}]`;
  return {
    problem: `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`,
  };
}

const edgesOf = (list: ListAtom, items: unknown[]): string[] =>
  items.map((item, i) => {
    const found = edgeOf(list, item);
    return 'edge' in found ? found.edge : `i:${i}`;
  });

/** All fields of the value. */
export function fieldsOf(value: unknown, type: Atom): FieldSet {
  const set = new FieldSet();
  collect(value, type, set, undefined);
  return set;
}

/** Adds the fields below an edge of a set. The whole value has no edge. */
function collect(value: unknown, type: Atom, parent: FieldSet, edge: string | undefined): void {
  const atom = deduce(type, value);
  const own = (): void => {
    if (edge !== undefined) parent.members.add(edge);
  };
  let made: FieldSet | undefined;
  const here = (): FieldSet => (made ??= edge === undefined ? parent : parent.descend(edge));
  if (atom.map) {
    const { map } = atom;
    if (map.atomic) return own();
    for (const [key, child] of Object.entries(asMap(value) ?? {})) {
      const place = fieldEdge(key);
      collect(child, typeOfField(map, key), here(), place);
      if (child === null || (isObject(child) && isEmptyMap(child)) || !map.fields.has(key)) here().members.add(place);
    }
  } else if (atom.scalar) own();
  else if (atom.list) {
    const { list } = atom;
    if (list.atomic) return own();
    const items = asList(value) ?? [];
    const edges = edgesOf(list, items);
    const times = new Map<string, number>();
    for (const each of edges) times.set(each, (times.get(each) ?? 0) + 1);
    items.forEach((item, i) => {
      const place = edges[i]!;
      here().members.add(place);
      if (times.get(place) === 1) collect(item, list.element(), here(), place);
    });
  }
}

export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

/** The fields that differ in the new value. */
export function compare(before: unknown, after: unknown, type: Atom): Comparison {
  const result: Comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compareAt(before, after, type, [], result);
  return result;
}

function compareAt(before: unknown, after: unknown, type: Atom, path: Path, result: Comparison): void {
  if (before === after) return;
  const [left, right] = [deduce(type, before), deduce(type, after)];
  let isLeaf: boolean;
  if (after === undefined) isLeaf = compareAs(left, before, after, path, result);
  else if (before === undefined || sameForm(left, right)) isLeaf = compareAs(right, before, after, path, result);
  else {
    compareAs(left, before, after, path, result);
    isLeaf = compareAs(right, before, after, path, result);
  }
  if (isLeaf) return;
  if (before === undefined) result.added.insert(path);
  else if (after === undefined) result.removed.insert(path);
}

/** Compares in one form of the type. Returns true if the values were compared as a whole. */
function compareAs(atom: Atom, before: unknown, after: unknown, path: Path, result: Comparison): boolean {
  const whole = (): true => {
    if (before === undefined) result.added.insert(path);
    else if (after === undefined) result.removed.insert(path);
    else if (!deepEqual(before, after)) result.modified.insert(path);
    return true;
  };
  if (atom.map) {
    const { map } = atom;
    if (map.atomic || (isEmptyMap(before) && isEmptyMap(after))) return whole();
    const [left, right] = [asMap(before) ?? {}, asMap(after) ?? {}];
    for (const key of new Set([...Object.keys(left), ...Object.keys(right)]))
      compareAt(left[key], right[key], typeOfField(map, key), [...path, fieldEdge(key)], result);
    return false;
  }
  if (atom.scalar) return whole();
  if (!atom.list || atom.list.atomic || (isEmptyList(before) && isEmptyList(after))) return whole();
  compareItems(atom.list, asList(before) ?? [], asList(after) ?? [], path, result);
  return false;
}

function compareItems(list: ListAtom, before: unknown[], after: unknown[], path: Path, result: Comparison): void {
  const index = (items: unknown[]): Map<string, unknown[]> => {
    const map = new Map<string, unknown[]>();
    edgesOf(list, items).forEach((edge, i) => map.set(edge, [...(map.get(edge) ?? []), items[i]]));
    return map;
  };
  const [left, right] = [index(before), index(after)];
  for (const edge of new Set([...left.keys(), ...right.keys()])) {
    const [was, is] = [left.get(edge) ?? [], right.get(edge) ?? []];
    const place = [...path, edge];
    const one = (a: unknown, b: unknown): void => compareAt(a, b, list.element(), place, result);
    // Duplicate items are owned together.
    if (was.length <= 1 && is.length <= 1) one(was[0], is[0]);
    else if (was.length > 1 && is.length > 1) {
      if (!deepEqual(was, is)) result.modified.insert(place);
    } else if (was.length > 1) {
      if (is.length) one(undefined, is[0]);
      result.removed.insert(place);
    } else {
      if (was.length) one(was[0], undefined);
      result.added.insert(place);
    }
  }
}

/** Merges the applied value into the live one. */
export function mergeTyped(live: unknown, applied: unknown, type: Atom): unknown {
  if (live === undefined) return applied;
  if (applied === undefined) return live;
  const atom = deduce(type, applied);
  if (atom.map) {
    const { map } = atom;
    if (map.atomic || (isEmptyMap(live) && isEmptyMap(applied))) return applied;
    const [left, right] = [asMap(live) ?? {}, asMap(applied) ?? {}];
    const result: Values = { ...left };
    for (const key of Object.keys(right)) result[key] = mergeTyped(left[key], right[key], typeOfField(map, key));
    return result;
  }
  if (atom.scalar || !atom.list || atom.list.atomic) return applied;
  if (isEmptyList(live) && isEmptyList(applied)) return applied;
  return mergeItems(atom.list, asList(live) ?? [], asList(applied) ?? []);
}

/** Merges the items of both lists: shared items in the applied order, the others next to their previous neighbours. */
function mergeItems(list: ListAtom, live: unknown[], applied: unknown[]): unknown[] {
  const [liveEdges, appliedEdges] = [edgesOf(list, live), edgesOf(list, applied)];
  const liveItems = new Map<string, unknown>();
  liveEdges.forEach((edge, i) => liveItems.set(edge, liveItems.has(edge) ? undefined : live[i]));
  const appliedItems = new Map(appliedEdges.map((edge, i) => [edge, applied[i]]));
  const shared = appliedEdges.filter((edge) => liveItems.has(edge));
  const merged = new Set<string>();
  const result: unknown[] = [];
  const take = (edge: string): void => {
    merged.add(edge);
    result.push(mergeTyped(liveItems.get(edge), appliedItems.get(edge), list.element()));
    if (shared[0] === edge) shared.shift();
  };
  let [i, j] = [0, 0];
  while (i < live.length || j < applied.length) {
    const [left, right] = [liveEdges[i], appliedEdges[j]];
    if (left !== undefined && right !== undefined) {
      if (left === right) {
        take(left);
        i++;
        j++;
        continue;
      }
      if (appliedItems.has(left) && shared.length && shared[0] !== left) {
        i++;
        continue;
      }
    }
    if (left !== undefined) {
      if (!appliedItems.has(left)) {
        result.push(live[i++]);
        continue;
      }
      if (merged.has(left)) i++;
    }
    if (right !== undefined) {
      take(right);
      j++;
    }
  }
  return result;
}

/** The value without the fields of the set. Null if nothing remains. */
export function removeFields(value: unknown, set: FieldSet, type: Atom): unknown {
  const atom = deduce(type, value);
  if (atom.map) {
    const { map } = atom;
    if (map.atomic || isEmptyMap(value)) return null;
    const result: Values = {};
    for (const [key, child] of Object.entries(value as Values)) {
      const edge = fieldEdge(key);
      if (set.members.has(edge)) continue;
      const below = set.children.get(edge);
      result[key] = below && !below.empty ? removeFields(child, below, typeOfField(map, key)) : child;
    }
    return Object.keys(result).length ? result : null;
  }
  if (atom.scalar) return value;
  if (!atom.list || atom.list.atomic || isEmptyList(value)) return null;
  const { list } = atom;
  const items = value as unknown[];
  const edges = edgesOf(list, items);
  const result = items.flatMap((item, i) => {
    const edge = edges[i]!;
    if (set.members.has(edge)) return [];
    const below = set.children.get(edge);
    return [below && !below.empty ? removeFields(item, below, list.element()) : item];
  });
  return result.length ? result : null;
}

/** Adds all named fields that lead to a member. */
export function withNamedFields(set: FieldSet, type: Atom | undefined): FieldSet {
  const result = new FieldSet();
  for (const edge of set.members) result.members.add(edge);
  for (const [edge, child] of set.children) {
    const name = edge.startsWith('f:') ? edge.slice(2) : undefined;
    let below: Atom | undefined;
    if (name !== undefined && type?.map) {
      const named = type.map.fields.get(name);
      if (named) result.members.add(edge);
      below = (named?.type ?? type.map.element)?.();
    } else if (edge.startsWith('k:')) below = type?.list?.element();
    result.children.set(edge, withNamedFields(child, below));
  }
  return result;
}
