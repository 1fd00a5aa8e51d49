// Who applies a Deployment on the server meets no conflict with us: of what we have written to it, we do not stay the owner.
import { FIELD_MANAGER } from '../api/keys.ts';
import type { KubeObject } from '../api/types.ts';

interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
}

export type DisownOp = { readonly op: 'test' | 'remove'; readonly path: string; readonly value?: string };

/**
 * A JSON patch that takes our entry out of `metadata.managedFields`; undefined when it is not there, or when nobody applies the object on
 * the server and so nobody asks who owns what. Fields are not touched by it. Fails when the entry stands elsewhere by now.
 */
export function disownOps({ metadata }: KubeObject): readonly DisownOp[] | undefined {
  const entries = (metadata as { readonly managedFields?: readonly ManagedFields[] }).managedFields ?? [];
  if (!entries.some(({ operation }) => operation === 'Apply')) return undefined;
  const index = entries.findIndex(
    ({ manager, operation, subresource }) => manager === FIELD_MANAGER && operation === 'Update' && !subresource,
  );
  if (index === -1) return undefined;
  const path = `/metadata/managedFields/${index}`;
  return [
    { op: 'test', path: `${path}/manager`, value: FIELD_MANAGER },
    { op: 'test', path: `${path}/operation`, value: 'Update' },
    { op: 'remove', path },
  ];
}
