// Selects the webhooks and policies for a request: by rules, selectors, and rules for another version of the same kind.
import { labelSelectorOf, matchesLabels, type LabelSelector } from '../core/select.ts';
import { collectionOf, type Registry } from '../core/resources.ts';
import type { Store } from '../core/store.ts';
import type { AdmissionRequest, KubeObject, ResourceType } from '../core/types.ts';

export interface Rule {
  operations?: string[];
  apiGroups?: string[];
  apiVersions?: string[];
  resources?: string[];
  resourceNames?: string[];
  scope?: string;
}

export interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export interface Match {
  rules: readonly Rule[];
  excludeRules?: readonly Rule[];
  matchPolicy?: string;
  namespaceSelector?: Selector;
  objectSelector?: Selector;
}

export interface Surroundings {
  store: Pick<Store, 'get' | 'list'>;
  registry: Registry;
}

/** Webhooks and policies do not see these kinds, so that a broken one can be repaired. */
const EXEMPT = new Set([
  'validatingwebhookconfigurations',
  'mutatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);
export const ADMISSION_GROUP = 'admissionregistration.k8s.io';

export const isExempt = ({ attributes }: AdmissionRequest): boolean =>
  attributes.group === ADMISSION_GROUP && EXEMPT.has(attributes.resource);

/** The version in which a webhook or policy receives the request. Undefined if it does not match. */
export const matchingType = (
  request: AdmissionRequest,
  match: Match,
  around: Surroundings,
): ResourceType | undefined => {
  if (!matchesNamespace(request, match.namespaceSelector, around.store)) return undefined;
  if (!matchesObject(request, match.objectSelector)) return undefined;
  if (match.excludeRules?.length && typeFor(request, match.excludeRules, match, around)) return undefined;
  return typeFor(request, match.rules, match, around);
};

const typeFor = (
  request: AdmissionRequest,
  rules: readonly Rule[],
  match: Match,
  around: Surroundings,
): ResourceType | undefined => {
  const { type } = request;
  if (rules.some((rule) => matchesRule(rule, request, type))) return type;
  if (match.matchPolicy === 'Exact') return undefined;
  const collection = collectionOf(type);
  const others = around.registry.all().filter((other) => other !== type && collectionOf(other) === collection);
  for (const rule of rules) {
    const other = others.find((candidate) => matchesRule(rule, request, candidate));
    if (other) return other;
  }
  return undefined;
};

const matchesRule = (rule: Rule, request: AdmissionRequest, type: ResourceType): boolean =>
  has(rule.operations, request.operation) &&
  has(rule.apiGroups, type.group) &&
  has(rule.apiVersions, type.version) &&
  matchesResource(rule.resources, type.plural, request.attributes.subresource) &&
  matchesScope(rule.scope, request) &&
  (!rule.resourceNames?.length || rule.resourceNames.includes(request.attributes.name));

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

export const matchesResource = (
  resources: readonly string[] | undefined,
  plural: string,
  subresource: string,
): boolean =>
  resources?.some((each) => {
    const [resource, sub = ''] = each.split('/');
    return (resource === '*' || resource === plural) && (sub === '*' || sub === subresource);
  }) ?? false;

const isNamespace = ({ attributes }: AdmissionRequest): boolean =>
  attributes.group === '' && attributes.resource === 'namespaces';

const matchesScope = (scope: string | undefined, request: AdmissionRequest): boolean => {
  if (!scope || scope === '*') return true;
  const namespaced = !isNamespace(request) && request.attributes.namespace !== '';
  return namespaced === (scope === 'Namespaced');
};

const selectors = new WeakMap<object, LabelSelector>();
const parsed = (selector: Selector): LabelSelector => {
  let known = selectors.get(selector);
  if (!known) selectors.set(selector, (known = labelSelectorOf(selector)));
  return known;
};

export const matchesSelector = (selector: Selector | undefined, labels: Record<string, string> | undefined): boolean =>
  !selector || matchesLabels(parsed(selector), labels);

/** The labels of the namespace of the object. For a Namespace, its own labels. Other cluster-scoped objects always match. */
const matchesNamespace = (
  request: AdmissionRequest,
  selector: Selector | undefined,
  store: Surroundings['store'],
): boolean => {
  if (!selector || parsed(selector).length === 0) return true;
  if (isNamespace(request)) return matchesSelector(selector, (request.object ?? request.oldObject)?.metadata.labels);
  const { namespace } = request.attributes;
  if (namespace === '') return true;
  return matchesSelector(selector, store.get('/namespaces', '', namespace)?.metadata.labels);
};

/** Matches the old or the new object, so that removing a label does not avoid a webhook. */
const matchesObject = ({ object, oldObject }: AdmissionRequest, selector: Selector | undefined): boolean => {
  if (!selector || parsed(selector).length === 0) return true;
  const matches = (candidate: KubeObject | null): boolean =>
    candidate !== null && matchesSelector(selector, candidate.metadata?.labels);
  return matches(object) || matches(oldObject);
};
