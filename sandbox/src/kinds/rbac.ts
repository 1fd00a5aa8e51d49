// rbac.authorization.k8s.io/v1: roles and bindings.
import { field } from '../core/errors.ts';
import { resource } from '../core/resources.ts';
import { checkPathSegment, checkSubdomain } from '../core/names.ts';
import { named, oneOf } from './checks.ts';
import { same } from '../core/objects.ts';
import { bindingColumns, roleColumns } from './columns.ts';
import type { FieldError, KubeObject, ResourceType } from '../core/types.ts';

const GROUP = 'rbac.authorization.k8s.io';

interface Rule {
  verbs?: string[];
  apiGroups?: string[];
  resources?: string[];
  nonResourceURLs?: string[];
}

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
  apiGroup?: string;
}

const checkRules = (rules: Rule[], namespaced: boolean): FieldError[] =>
  rules.flatMap((rule, i) => {
    const at = `rules[${i}]`;
    const errors: FieldError[] = [];
    if (!rule.verbs?.length) errors.push(field.required(`${at}.verbs`, 'verbs must contain at least one value'));
    if (rule.nonResourceURLs?.length) {
      if (namespaced) {
        errors.push(
          field.invalid(
            `${at}.nonResourceURLs`,
            rule.nonResourceURLs,
            'namespaced rules cannot apply to non-resource URLs',
          ),
        );
      }
      if (rule.apiGroups?.length || rule.resources?.length) {
        errors.push(
          field.invalid(
            `${at}.nonResourceURLs`,
            rule.nonResourceURLs,
            'rules cannot apply to both regular resources and non-resource URLs',
          ),
        );
      }
      return errors;
    }
    if (!rule.apiGroups?.length) {
      errors.push(field.required(`${at}.apiGroups`, 'resource rules must supply at least one api group'));
    }
    if (!rule.resources?.length) {
      errors.push(field.required(`${at}.resources`, 'resource rules must supply at least one resource'));
    }
    return errors;
  });

const checkSubjects = (subjects: Subject[], namespaced: boolean): FieldError[] =>
  subjects.flatMap((subject, i) => {
    const at = `subjects[${i}]`;
    const errors: FieldError[] = [];
    if (!subject.name) errors.push(field.required(`${at}.name`));
    const group = subject.kind === 'ServiceAccount' ? '' : GROUP;
    if (!['ServiceAccount', 'User', 'Group'].includes(subject.kind)) {
      errors.push(...oneOf(`${at}.kind`, subject.kind, ['ServiceAccount', 'User', 'Group']));
    } else if ((subject.apiGroup ?? '') !== group) {
      errors.push(field.notSupported(`${at}.apiGroup`, subject.apiGroup ?? '', [group]));
    }
    if (!subject.name && (subject.kind === 'User' || subject.kind === 'Group')) {
      errors.push(field.invalid(`${at}.name`, '', `${subject.kind.toLowerCase()} name cannot be empty`));
    }
    if (subject.kind === 'ServiceAccount') {
      if (subject.name) errors.push(...named(`${at}.name`, subject.name, checkSubdomain));
      if (!namespaced && !subject.namespace) errors.push(field.required(`${at}.namespace`));
    }
    return errors;
  });

function validateBinding(binding: KubeObject, old: KubeObject | undefined, kinds: string[]): FieldError[] {
  const { roleRef = {}, subjects = [] } = binding;
  const errors: FieldError[] = [];
  if (roleRef.apiGroup !== GROUP) errors.push(field.notSupported('roleRef.apiGroup', roleRef.apiGroup ?? '', [GROUP]));
  errors.push(...oneOf('roleRef.kind', roleRef.kind, kinds));
  if (!roleRef.name) errors.push(field.required('roleRef.name'));
  else errors.push(...named('roleRef.name', roleRef.name, checkPathSegment));
  errors.push(...checkSubjects(subjects as Subject[], binding.metadata.namespace !== undefined));
  if (old && !same(roleRef, old.roleRef)) errors.push(field.invalid('roleRef', roleRef, 'cannot change roleRef'));
  return errors;
}

function defaultBinding(binding: KubeObject): void {
  if (binding.roleRef && !binding.roleRef.apiGroup) binding.roleRef.apiGroup = GROUP;
  for (const subject of (binding.subjects ?? []) as Subject[]) {
    if (subject.apiGroup === undefined && subject.kind !== 'ServiceAccount') subject.apiGroup = GROUP;
  }
}

export function rbacTypes(): ResourceType[] {
  const row = (kind: string, plural: string, namespaced: boolean, more: Partial<ResourceType>): ResourceType =>
    resource(GROUP, 'v1', kind, plural, { namespaced, createOnUpdate: true, checkName: checkPathSegment, ...more });
  const role = (namespaced: boolean): Partial<ResourceType> => ({
    columns: roleColumns,
    // A Go server returns `rules: null` if there are none.
    default(object) {
      if (object.rules === undefined) object.rules = null;
    },
    validate: ({ rules }) => checkRules((rules ?? []) as Rule[], namespaced),
  });
  const binding = (kinds: string[]): Partial<ResourceType> => ({
    columns: bindingColumns,
    default: defaultBinding,
    validate: (object, old) => validateBinding(object, old, kinds),
  });
  return [
    row('Role', 'roles', true, role(true)),
    row('RoleBinding', 'rolebindings', true, binding(['ClusterRole', 'Role'])),
    row('ClusterRole', 'clusterroles', false, role(false)),
    row('ClusterRoleBinding', 'clusterrolebindings', false, binding(['ClusterRole'])),
  ];
}
