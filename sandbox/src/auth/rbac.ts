// Evaluates RBAC from the stored roles and bindings, with an index by subject.
import type { Store } from '../core/store.ts';
import type { Attributes, KubeObject, User } from '../core/types.ts';
import { ruleAllows, type PolicyRule } from './rules.ts';

export const RBAC = 'rbac.authorization.k8s.io';
/** Members may do everything, regardless of roles. */
export const MASTERS = 'system:masters';

export interface Decision {
  allowed: boolean;
  /** Why it is allowed, or why a role could not be read. */
  reason: string;
}

export interface RoleRef {
  kind: string;
  name: string;
}

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

/** One subject of one binding. */
interface Grant {
  /** "" for a ClusterRoleBinding. */
  namespace: string;
  roleRef: RoleRef;
  subject: Subject;
  binding: KubeObject;
  /** Position among all grants. The first one that allows the request is the reason. */
  order: number;
}

interface Index {
  users: Map<string, Grant[]>;
  groups: Map<string, Grant[]>;
}

type Objects = Pick<Store, 'get' | 'list'>;

export class Rbac {
  private readonly objects: Objects;
  private index: Index = { users: new Map(), groups: new Map() };
  private bindings: readonly KubeObject[] | undefined;
  private clusterBindings: readonly KubeObject[] | undefined;

  constructor(objects: Objects) {
    this.objects = objects;
  }

  authorize({ user, ...asked }: Attributes): Decision {
    if (user.groups.includes(MASTERS)) return { allowed: true, reason: '' };
    const errors = new Set<string>();
    for (const grant of this.grants(user, asked.namespace)) {
      const rules = this.rulesOf(grant.roleRef, grant.namespace);
      if (!rules) errors.add(roleNotFound(grant.roleRef));
      else if (rules.some((rule) => ruleAllows(rule, asked))) {
        return { allowed: true, reason: `RBAC: allowed by ${describe(grant)}` };
      }
    }
    const all = [...errors];
    return { allowed: false, reason: all.length ? `RBAC: ${all.length === 1 ? all[0] : `[${all.join(', ')}]`}` : '' };
  }

  /** All rules of a user in a namespace ("": cluster-wide only), and errors of rules that could not be read. */
  rulesFor(user: User, namespace: string): { rules: PolicyRule[]; errors: string[] } {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const grant of this.grants(user, namespace)) {
      const found = this.rulesOf(grant.roleRef, grant.namespace);
      if (found) rules.push(...found);
      else errors.push(roleNotFound(grant.roleRef));
    }
    return { rules, errors };
  }

  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    const role =
      ref.kind === 'ClusterRole'
        ? this.objects.get(`${RBAC}/clusterroles`, '', ref.name)
        : this.objects.get(`${RBAC}/roles`, namespace, ref.name);
    return role && ((role.rules ?? []) as PolicyRule[]);
  }

  /** The grants of this user. Cluster-wide ones first, as in the API server. */
  private grants(user: User, namespace: string): Grant[] {
    const { users, groups } = this.fresh();
    const found: Grant[] = [];
    const add = (grants: Grant[] | undefined): void => {
      if (!grants) return;
      for (const grant of grants) if (grant.namespace === '' || grant.namespace === namespace) found.push(grant);
    };
    add(users.get(user.username));
    for (const group of user.groups) add(groups.get(group));
    return found.length > 1 ? found.sort((a, b) => a.order - b.order) : found;
  }

  /** The store returns the same list until it changes, so the list is the cache key. */
  private fresh(): Index {
    const bindings = this.objects.list(`${RBAC}/rolebindings`);
    const clusterBindings = this.objects.list(`${RBAC}/clusterrolebindings`);
    if (bindings !== this.bindings || clusterBindings !== this.clusterBindings) {
      this.bindings = bindings;
      this.clusterBindings = clusterBindings;
      this.index = indexOf([...clusterBindings, ...bindings]);
    }
    return this.index;
  }
}

const indexOf = (bindings: KubeObject[]): Index => {
  const users = new Map<string, Grant[]>();
  const groups = new Map<string, Grant[]>();
  let order = 0;
  for (const binding of bindings) {
    const namespace = binding.metadata.namespace ?? '';
    for (const subject of (binding.subjects ?? []) as Subject[]) {
      const grant = { namespace, roleRef: binding.roleRef as RoleRef, subject, binding, order: order++ };
      const map = subject.kind === 'Group' ? groups : users;
      const key =
        subject.kind === 'ServiceAccount'
          ? `system:serviceaccount:${subject.namespace || namespace}:${subject.name}`
          : subject.name;
      const list = map.get(key);
      if (list) list.push(grant);
      else map.set(key, [grant]);
    }
  }
  return { users, groups };
};

const roleNotFound = (ref: RoleRef): string => `${ref.kind.toLowerCase()}.${RBAC} "${ref.name}" not found`;

const describe = ({ binding, roleRef, subject, namespace }: Grant): string => {
  const name = namespace
    ? `RoleBinding "${binding.metadata.name}/${namespace}"`
    : `ClusterRoleBinding "${binding.metadata.name}"`;
  const who =
    subject.kind === 'ServiceAccount'
      ? `ServiceAccount "${subject.name}/${subject.namespace || namespace}"`
      : `${subject.kind} "${subject.name}"`;
  return `${name} of ${roleRef.kind} "${roleRef.name}" to ${who}`;
};
