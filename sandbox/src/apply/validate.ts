// Checks an applied configuration against its type, with the error texts of the API server's library.
import { isObject } from '../patch/values.ts';
import type { Atom, ListAtom } from './atoms.ts';
import { edgeText } from './set.ts';
import { deduce, edgeOf, typeOfField } from './typed.ts';

/** Returns type errors with their paths. Empty if the value is valid. */
export function validateTyped(value: unknown, type: Atom, allowDuplicates: boolean, path = ''): string[] {
  const problem = (text: string): string[] => [path ? `${path}: ${text}` : text];
  if (value === null) return [];
  const atom = deduce(type, value);
  if (atom.map) {
    const { map } = atom;
    if (!isObject(value)) return problem(`expected map, got ${goValue(value)}`);
    return Object.entries(value).flatMap(([key, child]) => {
      const place = `${path}.${key}`;
      if (!map.fields.has(key) && !map.element) return [`${place}: field not declared in schema`];
      return validateTyped(child, typeOfField(map, key), allowDuplicates, place);
    });
  }
  if (atom.scalar) {
    const expected = { numeric: 'numeric (int or float)', string: 'string', boolean: 'boolean', untyped: 'any scalar' };
    const form = typeof value === 'number' ? 'numeric' : typeof value;
    if (atom.scalar === form || (atom.scalar === 'untyped' && typeof value !== 'object')) return [];
    return problem(
      `expected ${expected[atom.scalar]}, got ${atom.scalar === 'numeric' ? goTypeName(value) : goValue(value)}`,
    );
  }
  if (!atom.list) return problem('schema error: invalid atom: inlined');
  if (!Array.isArray(value)) return problem(`expected list, got ${goValue(value)}`);
  return validateItems(value, atom.list, allowDuplicates, path);
}

function validateItems(items: unknown[], list: ListAtom, allowDuplicates: boolean, path: string): string[] {
  const seen = new Set<string>();
  const problems: string[] = [];
  for (const [i, item] of items.entries()) {
    let place = `[${i}]`;
    if (!list.atomic) {
      const found = edgeOf(list, item);
      if ('problem' in found) return [...problems, `${path}: element ${i}: ${found.problem}`];
      place = edgeText(found.edge);
      if (seen.has(found.edge) && !allowDuplicates) problems.push(`${path}: duplicate entries for key ${place}`);
      seen.add(found.edge);
    }
    problems.push(...validateTyped(item, list.element(), allowDuplicates, `${path}${place}`));
  }
  return problems;
}

const goTypeName = (value: unknown): string =>
  Array.isArray(value)
    ? '[]interface {}'
    : isObject(value)
      ? 'map[string]interface {}'
      : typeof value === 'boolean'
        ? 'bool'
        : 'string';

function goValue(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  return `&value.valueUnstructured{Value:${typeof value === 'object' ? JSON.stringify(value) : String(value)}}`;
}
