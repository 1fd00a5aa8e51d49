// Objects by name: what comes back is what was asked for, or an error.
import type { KubeObject } from '../api/types.ts';
import { show } from '../engine/validate/violation.ts';
import type { Api } from './api.ts';
import { isNotFound } from './errors.ts';
import { type Resource } from '../api/resources.ts';
import { pathOf } from './path.ts';

export interface Asked {
  readonly namespace?: string | undefined;
  readonly name: string;
  /** Where it is known: another object of the same name is not the one that is meant. */
  readonly uid?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The server's answer is another object than was asked for: nothing may be decided on it. */
export class WrongObjectError extends Error {
  override readonly name = 'WrongObjectError';
}

/** Throws what the request throws, and WrongObjectError. */
export async function getObject<T extends KubeObject>(api: Api, resource: Resource, asked: Asked): Promise<T> {
  const path = pathOf(resource, asked);
  const { signal } = asked;
  const answer = await api.request({ method: 'GET', path, ...(signal ? { signal } : {}) });
  const difference = differenceOf(answer as Partial<KubeObject> | undefined, resource, asked);
  if (difference !== undefined) throw new WrongObjectError(`GET ${path}: the answer is another object: ${difference}`);
  return answer as T;
}

/** Undefined when there is none. */
export async function findObject<T extends KubeObject>(
  api: Api,
  resource: Resource,
  asked: Asked,
): Promise<T | undefined> {
  try {
    return await getObject<T>(api, resource, asked);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function differenceOf(
  answer: Partial<KubeObject> | undefined,
  { apiVersion, kind, cluster }: Resource,
  { namespace, name, uid }: Asked,
): string | undefined {
  const { metadata } = answer ?? {};
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['apiVersion', answer?.apiVersion, apiVersion],
    ['kind', answer?.kind, kind],
    ['metadata.name', metadata?.name, name],
    ...(cluster ? [] : [['metadata.namespace', metadata?.namespace, namespace] as const]),
    ...(uid === undefined ? [] : [['metadata.uid', metadata?.uid, uid] as const]),
  ];
  const wrong = pairs.find(([, is, expected]) => is !== expected);
  return wrong && `${wrong[0]} is ${show(wrong[1])}, not ${show(wrong[2])}`;
}
