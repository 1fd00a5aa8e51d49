// Gets objects by name, and checks that the answer is the requested object.
import type { KubeObject } from '../api/types.ts';
import { show } from '../engine/validate/violation.ts';
import type { Api } from './api.ts';
import { isNotFound } from './errors.ts';
import { type Resource } from '../api/resources.ts';
import { pathOf } from './path.ts';

export interface GetOptions {
  readonly namespace?: string | undefined;
  readonly name: string;
  /** If set, an object with the same name but another uid is an error. */
  readonly uid?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** See `ApiCall.urgent`. */
  readonly urgent?: true;
}

/** The answer is not the requested object, so no decision may use it. */
export class WrongObjectError extends Error {
  override readonly name = 'WrongObjectError';
}

/** Throws the errors of the request, and WrongObjectError. */
export async function getObject<T extends KubeObject>(api: Api, resource: Resource, asked: GetOptions): Promise<T> {
  const path = pathOf(resource, asked);
  const { signal, urgent } = asked;
  const answer = await api.request({ method: 'GET', path, ...(signal && { signal }), ...(urgent && { urgent }) });
  const difference = differenceOf(answer as Partial<KubeObject> | undefined, resource, asked);
  if (difference !== undefined)
    throw new WrongObjectError(`GET ${path}: the response is another object: ${difference}`);
  return answer as T;
}

/** Like getObject, but returns undefined if the object does not exist. */
export async function findObject<T extends KubeObject>(
  api: Api,
  resource: Resource,
  asked: GetOptions,
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
  { namespace, name, uid }: GetOptions,
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
