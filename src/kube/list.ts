// All objects of a collection, page by page. For what is kept and watched, see reflector.ts.
import type { Resource } from '../api/resources.ts';
import type { KubeObject } from '../api/types.ts';
import type { Api } from './api.ts';
import { pathOf } from './path.ts';

const PAGE_SIZE = 500;

/** No namespace: of all. `query`: selectors. Each item says its apiVersion and kind. Throws what the request throws. */
export async function listAll<T extends KubeObject>(
  api: Api,
  resource: Resource,
  namespace?: string,
  query: Readonly<Record<string, string>> = {},
): Promise<T[]> {
  const path = pathOf(resource, { namespace });
  const items: T[] = [];
  let next = '';
  do {
    const answer = (await api.request({
      method: 'GET',
      path,
      query: { ...query, limit: String(PAGE_SIZE), ...(next ? { continue: next } : {}) },
    })) as { apiVersion?: string; kind?: string; items?: T[]; metadata?: { continue?: string } };
    // Items of a list do not say what they are.
    const { apiVersion, kind = '' } = answer;
    const header = apiVersion === undefined ? {} : { apiVersion, kind: kind.replace(/List$/, '') };
    items.push(...(answer.items ?? []).map((item) => (item.kind ? item : { ...header, ...item })));
    next = answer.metadata?.continue ?? '';
  } while (next !== '');
  return items;
}
