// The paths that differ between two templates, for messages about a revert that another tool made incomplete.
import { isObject } from '../../api/json.ts';
import type { PodTemplate } from '../../api/types.ts';
import { deploymentTemplate, sameJson } from './template.ts';

const MOST = 3;

/** `spec.containers[app].env[NOTE], metadata.labels[x] and 2 more`. "" if nothing differs. */
export function differences(before: PodTemplate, after: PodTemplate): string {
  const paths: string[] = [];
  compare(deploymentTemplate(before), deploymentTemplate(after), '', paths);
  const named = paths.slice(0, MOST).join(', ');
  return paths.length > MOST ? `${named} and ${paths.length - MOST} more` : named;
}

function compare(before: unknown, after: unknown, path: string, paths: string[]): void {
  if (sameJson(before, after) || (isEmpty(before) && isEmpty(after))) return;
  if (isList(before) && isList(after) && [...before, ...after].every(isNamed)) {
    const [old, now] = [byName(before), byName(after)];
    for (const name of new Set([...old.keys(), ...now.keys()]))
      compare(old.get(name), now.get(name), `${path}[${name}]`, paths);
    return;
  }
  if (!isObject(before) || !isObject(after)) {
    paths.push(path);
    return;
  }
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    compare(before[key], after[key], join(path, key), paths);
}

const join = (path: string, key: string): string =>
  /^\w+$/.test(key) ? (path === '' ? key : `${path}.${key}`) : `${path}[${key}]`;
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);
const isNamed = (item: unknown): item is { readonly name: string } =>
  isObject(item) && typeof item['name'] === 'string';
const byName = (items: readonly unknown[]): ReadonlyMap<string, unknown> =>
  new Map(items.filter(isNamed).map((item) => [item.name, item]));
const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (isList(value) && value.length === 0) ||
  (isObject(value) && Object.keys(value).length === 0);
