// Which policies match a workload, and the outcome of their findings. The rules are in rules.ts, windows.ts and approval.ts.
import type { Enforcement, ReleasePolicy } from '../../api/policy.ts';
import type { LabelSelector } from '../../api/types.ts';
import type { Violation } from '../validate/violation.ts';
import { mayBreak } from './break-glass.ts';

export type Rule =
  | 'requireRollout'
  | 'steps'
  | 'approval'
  | 'analysis'
  | 'analysis.override'
  | 'windows'
  | 'maxConcurrentReleases'
  | 'protectInFlight'
  | 'rollbackWindow';

/** A violation of a rule of one policy. */
export interface Finding extends Violation {
  readonly policy: ReleasePolicy;
  readonly rule: Rule;
  /** Strictness: of several findings about the same rule and field, only the one with the highest rank is reported. */
  readonly rank: number;
}

export type Labels = Readonly<Record<string, string>> | undefined;

export interface Subject {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  /** Labels of the workload before and after the edit: an edit that removes a label is still checked by the policies that select it. */
  readonly workloadLabels: readonly Labels[];
}

export const enforcementOf = ({ spec }: ReleasePolicy): Enforcement => spec.enforcement ?? 'Deny';

/** Policies that select this workload and are not being deleted, sorted by name. */
export function matching(
  policies: readonly ReleasePolicy[],
  subject: Subject,
  exempt: ReadonlySet<string>,
): ReleasePolicy[] {
  if (exempt.has(subject.namespace)) return [];
  return policies
    .filter(({ metadata, spec }) => {
      const { namespaceSelector, workloadSelector } = spec.match ?? {};
      return (
        metadata.deletionTimestamp === undefined &&
        selects(namespaceSelector, subject.namespaceLabels) &&
        // The labels of a workload that does not exist yet are unknown, so only policies without a workloadSelector match.
        (isEmpty(workloadSelector) || subject.workloadLabels.some((labels) => selects(workloadSelector, labels)))
      );
    })
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0;

/** The semantics of Kubernetes: an empty selector selects everything, and NotIn matches a missing label. */
export function selects(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  const value = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  return (
    Object.entries(matchLabels).every(([key, wanted]) => value(key) === wanted) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const found = value(key);
      switch (operator) {
        case 'In':
          return found !== undefined && values.includes(found);
        case 'NotIn':
          return found === undefined || !values.includes(found);
        case 'Exists':
          return found !== undefined;
        case 'DoesNotExist':
          return found === undefined;
        default:
          return false;
      }
    })
  );
}

/** The user of a request. */
export interface Person {
  readonly user: string;
  readonly groups: readonly string[];
  /** The reason for breaking the glass. Undefined if the user does not break it. */
  readonly breakGlass: string | undefined;
}

export interface Judgement {
  readonly denied: readonly Finding[];
  readonly warned: readonly Finding[];
  readonly audited: readonly Finding[];
  /** Findings that the person may bypass, and bypasses with a reason. */
  readonly broken: readonly Finding[];
}

/** Rules that breaking the glass bypasses. It does not bypass the rules about the plan, and `maxConcurrentReleases`. */
const BREAKABLE: ReadonlySet<Rule> = new Set([
  'requireRollout',
  'approval',
  'analysis.override',
  'windows',
  'protectInFlight',
]);

/** For each rule and field, only the strictest finding counts: Deny before Warn before Audit, then the highest rank. */
export function judge(findings: readonly Finding[], person: Person): Judgement {
  const reason = person.breakGlass?.trim() ?? '';
  const breaks = ({ policy, rule }: Finding): boolean =>
    reason !== '' && BREAKABLE.has(rule) && mayBreak(policy, person.groups);
  const strictest = new Map<string, Finding>();
  for (const finding of findings.filter((one) => !breaks(one))) {
    const key = `${finding.rule} ${finding.field}`;
    const known = strictest.get(key);
    if (known === undefined || isStricter(finding, known)) strictest.set(key, finding);
  }
  const left = [...strictest.values()];
  const of = (enforcement: Enforcement): Finding[] =>
    left.filter(({ policy }) => enforcementOf(policy) === enforcement);
  return {
    denied: of('Deny').map((finding) => withBreakGlass(finding, person)),
    warned: of('Warn'),
    audited: of('Audit'),
    broken: findings.filter(breaks),
  };
}

const ORDER: readonly Enforcement[] = ['Audit', 'Warn', 'Deny'];

function isStricter(a: Finding, b: Finding): boolean {
  const [x, y] = [a, b].map(({ policy }) => ORDER.indexOf(enforcementOf(policy))) as [number, number];
  return x !== y ? x > y : a.rank > b.rank;
}

/** Adds to the remedy who can break the glass, or why this person cannot. */
function withBreakGlass(finding: Finding, { breakGlass, groups }: Person): Finding {
  const allowed = finding.policy.spec.breakGlass?.groups ?? [];
  if (!BREAKABLE.has(finding.rule) || allowed.length === 0) return finding;
  const who = allowed.join(' or ');
  const remedy =
    breakGlass === undefined
      ? `${finding.remedy}; in an emergency, a member of ${who} can add the annotation tranche.dev/break-glass="<reason>" to the change`
      : breakGlass.trim() === '' && mayBreak(finding.policy, groups)
        ? 'write a reason: the annotation tranche.dev/break-glass is empty'
        : `${finding.remedy}; the annotation tranche.dev/break-glass is accepted only from a member of ${who}`;
  return { ...finding, remedy };
}
