// RBAC rules: whether a rule allows a request, whether rules cover other rules, and their text in errors.
import type { Attributes } from '../core/types.ts';

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(value) || list.includes('*'));

export const ruleAllows = (rule: PolicyRule, asked: Omit<Attributes, 'user'>): boolean => {
  if (!has(rule.verbs, asked.verb)) return false;
  if (!asked.resourceRequest) return allowsUrl(rule.nonResourceURLs, asked.path);
  return (
    has(rule.apiGroups, asked.group) &&
    allowsResource(rule.resources, asked.resource, asked.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(asked.name))
  );
};

const allowsResource = (resources: readonly string[] | undefined, resource: string, subresource: string): boolean => {
  if (!resources) return false;
  if (!subresource) return has(resources, resource);
  return has(resources, `${resource}/${subresource}`) || resources.includes(`*/${subresource}`);
};

const allowsUrl = (urls: readonly string[] | undefined, path: string): boolean =>
  urls?.some((url) => url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.slice(0, -1)))) ?? false;

/** Splits `wanted` into rules with one resource and one verb. Returns those that `held` does not cover. */
export const missingRules = (held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] =>
  wanted.flatMap(breakdown).filter((rule) => !held.some((owner) => covers(owner, rule)));

const breakdown = (rule: PolicyRule): PolicyRule[] => [
  ...(rule.apiGroups ?? []).flatMap((group) =>
    (rule.resources ?? []).flatMap((resource) =>
      rule.verbs.flatMap((verb): PolicyRule[] => {
        const one = { apiGroups: [group], resources: [resource], verbs: [verb] };
        return rule.resourceNames?.length
          ? rule.resourceNames.map((name) => ({ ...one, resourceNames: [name] }))
          : [one];
      }),
    ),
  ),
  ...(rule.nonResourceURLs ?? []).flatMap((url) =>
    rule.verbs.map((verb) => ({ nonResourceURLs: [url], verbs: [verb] })),
  ),
];

const covers = (owner: PolicyRule, one: PolicyRule): boolean => {
  if (!has(owner.verbs, one.verbs[0]!)) return false;
  const url = one.nonResourceURLs?.[0];
  if (url !== undefined) {
    return (
      owner.nonResourceURLs?.some(
        (held) => held === '*' || held === url || (held.endsWith('*') && url.startsWith(held.slice(0, -1))),
      ) ?? false
    );
  }
  const [resource, subresource] = one.resources![0]!.split('/');
  return (
    has(owner.apiGroups, one.apiGroups![0]!) &&
    (owner.resources?.some(
      (held) =>
        held === '*' ||
        held === one.resources![0] ||
        (subresource !== undefined && resource !== '*' && held === `*/${subresource}`),
    ) ??
      false) &&
    (!owner.resourceNames?.length ||
      (one.resourceNames !== undefined && owner.resourceNames.includes(one.resourceNames[0]!)))
  );
};

/** Merges rules that differ only in the verb, then prints and sorts them. */
export const describeRules = (rules: readonly PolicyRule[]): string[] => {
  const byTarget = new Map<string, PolicyRule & { verbs: string[] }>();
  for (const rule of rules) {
    const { verbs, ...target } = rule;
    const key = JSON.stringify(target);
    const merged = byTarget.get(key);
    if (!merged) byTarget.set(key, { ...target, verbs: [...verbs] });
    else if (!merged.verbs.includes(verbs[0]!)) merged.verbs.push(...verbs);
  }
  return [...new Set([...byTarget.values()].map(printRule))].sort();
};

const printRule = (rule: PolicyRule): string => {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  return `{${parts
    .filter(([, values]) => values?.length)
    .map(([name, values]) => `${name}:${quoted(values!)}`)
    .join(', ')}}`;
};

/** A list of strings in the format of Go's %q. */
export const quoted = (values: readonly string[]): string =>
  `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
