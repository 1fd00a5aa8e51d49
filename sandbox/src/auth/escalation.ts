// Prevents privilege escalation: a role or binding may only grant rules that its author has, unless `escalate` or `bind` is allowed.
import { forbidden, notFound } from '../core/errors.ts';
import { same } from '../core/objects.ts';
import type { AdmissionRequest, Attributes, KubeObject } from '../core/types.ts';
import { MASTERS, RBAC, type Rbac, type RoleRef } from './rbac.ts';
import { describeRules, missingRules, quoted, type PolicyRule } from './rules.ts';

const KINDS = new Set(['roles', 'clusterroles', 'rolebindings', 'clusterrolebindings']);
const EVERYTHING: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/** Throws 403 if a write of a role or binding grants more than the author has. */
export const checkEscalation = (rbac: Rbac, request: AdmissionRequest): void => {
  const { attributes, object, oldObject, operation } = request;
  if (attributes.group !== RBAC || !KINDS.has(attributes.resource) || attributes.subresource || !object) return;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return;
  if (attributes.user.groups.includes(MASTERS) || (oldObject && onlyMetadataOfDeletion(object, oldObject))) return;
  const name = object.metadata.name;
  if (attributes.resource.endsWith('bindings')) checkBinding(rbac, attributes, object, name);
  else checkRole(rbac, attributes, object, name);
};

const checkRole = (rbac: Rbac, attributes: Attributes, role: KubeObject, name: string): void => {
  if (rbac.authorize({ ...attributes, verb: 'escalate', name }).allowed) return;
  const rules = role.aggregationRule ? EVERYTHING : ((role.rules ?? []) as PolicyRule[]);
  confirm(rbac, attributes, rules, name);
};

const checkBinding = (rbac: Rbac, attributes: Attributes, binding: KubeObject, name: string): void => {
  const ref = binding.roleRef as RoleRef | undefined;
  if (!ref) return;
  const resource = ref.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (rbac.authorize({ ...attributes, verb: 'bind', resource, name: ref.name }).allowed) return;
  const rules = rbac.rulesOf(ref, attributes.namespace);
  if (!rules) throw notFound({ group: RBAC, resource: resource.replace(/s$/, '') }, ref.name);
  confirm(rbac, attributes, rules, name);
};

const confirm = (rbac: Rbac, attributes: Attributes, wanted: readonly PolicyRule[], name: string): void => {
  const { user, namespace } = attributes;
  const { rules, errors } = rbac.rulesFor(user, namespace);
  const missing = missingRules(rules, wanted);
  if (missing.length === 0) return;
  const resolution = errors.length ? `; resolution errors: [${errors.join(', ')}]` : '';
  throw forbidden(
    attributes,
    name,
    `user ${JSON.stringify(user.username)} (groups=${quoted(user.groups)}) is attempting to grant RBAC permissions not currently held:\n` +
      describeRules(missing).join('\n') +
      resolution,
  );
};

/** Whether only finalizers and owners change. The garbage collector may do this without having the rules of the role. */
const onlyMetadataOfDeletion = (object: KubeObject, old: KubeObject): boolean => {
  const strip = ({ metadata, ...rest }: KubeObject): object => {
    const { finalizers: _f, ownerReferences: _o, managedFields: _m, resourceVersion: _r, ...others } = metadata;
    return { ...rest, metadata: others };
  };
  return same(strip(object), strip(old));
};
