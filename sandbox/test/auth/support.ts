// Auth with a separate store that tests fill.
import { createAuth, type Auth } from '../../src/auth/index.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import { Store } from '../../src/core/store.ts';
import type { ApiError, Attributes, KubeObject, User } from '../../src/core/types.ts';

const RBAC = 'rbac.authorization.k8s.io';

export interface World {
  auth: Auth;
  clock: VirtualClock;
  store: Store;
  put(collection: string, object: Omit<KubeObject, 'apiVersion' | 'kind'>): KubeObject;
  remove(collection: string, namespace: string, name: string): void;
  role(name: string, rules: object[], namespace?: string): void;
  bind(name: string, role: string, subjects: object[], namespace?: string): void;
}

export const aWorld = (): World => {
  const store = new Store();
  const clock = new VirtualClock(1);
  const put = (collection: string, object: Omit<KubeObject, 'apiVersion' | 'kind'>): KubeObject => {
    const { name, namespace = '' } = object.metadata as KubeObject['metadata'];
    const full = { apiVersion: 'v1', kind: collection, ...object } as KubeObject;
    return store.commit(collection, store.get(collection, namespace, name), full)!;
  };
  const meta = (name: string, namespace?: string): KubeObject['metadata'] => ({
    name,
    ...(namespace ? { namespace } : {}),
  });
  return {
    auth: createAuth({ store, clock }),
    clock,
    store,
    put,
    remove: (collection, namespace, name) => void store.remove(collection, store.get(collection, namespace, name)!),
    role: (name, rules, namespace) =>
      void put(`${RBAC}/${namespace ? 'roles' : 'clusterroles'}`, { metadata: meta(name, namespace), rules }),
    // A role named `Role/x` is one of the namespace.
    bind: (name, role, subjects, namespace) =>
      void put(`${RBAC}/${namespace ? 'rolebindings' : 'clusterrolebindings'}`, {
        metadata: meta(name, namespace),
        roleRef: {
          apiGroup: RBAC,
          kind: role.startsWith('Role/') ? 'Role' : 'ClusterRole',
          name: role.replace('Role/', ''),
        },
        subjects,
      }),
  };
};

export const aUser = (username: string, ...groups: string[]): User => ({
  username,
  groups: [...groups, 'system:authenticated'],
});

/** `get pods`, `patch apps/deployments/scale web` in the namespace `shop` unless another (or "") is named. */
export const asks = (user: User, verb: string, what: string, name = '', namespace = 'shop'): Attributes => {
  const [resource, subresource = ''] = what
    .split('/')
    .slice(what.includes('.') || what.startsWith('apps/') ? 1 : 0) as [string, string?];
  return {
    user,
    verb,
    group: what.includes('.') || what.startsWith('apps/') ? what.split('/')[0]! : '',
    version: 'v1',
    resource,
    subresource,
    namespace,
    name,
    path: '',
    resourceRequest: true,
  };
};

export const asksPath = (user: User, verb: string, path: string): Attributes => ({
  ...asks(user, verb, '', '', ''),
  path,
  resourceRequest: false,
});

export const refusal = (fn: () => unknown): ApiError['status'] => {
  try {
    fn();
  } catch (error) {
    return (error as ApiError).status;
  }
  throw new Error('it was not refused');
};
