// Reads routes and Services that nobody has checked against a schema: from reviews, and from files.
import { isObject } from '../../api/json.ts';
import type { Route, Service } from '../../api/traffic.ts';

/** Undefined if a part that the program reads has another type. */
export function asRoute(object: unknown): Route | undefined {
  if (!isObject(object) || !hasMetadata(object) || !isObject(object['spec'])) return undefined;
  const { rules } = object['spec'];
  return rules === undefined || isListOf(rules, isRule) ? (object as unknown as Route) : undefined;
}

/** Undefined if a part that the program reads has another type. */
export function asService(object: unknown): Service | undefined {
  if (!isObject(object) || !hasMetadata(object) || !isObject(object['spec'])) return undefined;
  const { ports, selector } = object['spec'];
  const fits = (ports === undefined || isListOf(ports, isObject)) && (selector === undefined || isObject(selector));
  return fits ? (object as unknown as Service) : undefined;
}

const isListOf = (value: unknown, is: (item: unknown) => boolean): boolean => Array.isArray(value) && value.every(is);
const isTexts = (value: unknown): boolean =>
  value === undefined || (isObject(value) && Object.values(value).every((text) => typeof text === 'string'));

const hasMetadata = ({ metadata }: Readonly<Record<string, unknown>>): boolean =>
  isObject(metadata) && isTexts(metadata['labels']) && isTexts(metadata['annotations']);

const isRule = (rule: unknown): boolean =>
  isObject(rule) &&
  ['matches', 'filters', 'backendRefs'].every((field) => rule[field] === undefined || isListOf(rule[field], isObject));
