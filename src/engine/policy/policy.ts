// What policies are about: which of them match, and what their findings come to. The rules themselves are in rules.ts, windows.ts and approval.ts.
import type { Enforcement, ReleasePolicy } from '../../api/policy.ts';
import type { LabelSelector } from '../../api/types.ts';
import type { Violation } from '../validate/violation.ts';
import { mayBreak } from './break-glass.ts';

export type Rule = 'requireRollout' | 'steps' | 'approval' | 'windows' | 'maxConcurrentReleases' | 'protectInFlight';

/** A rule of one policy that does not hold. */
export interface Finding extends Violation {
  readonly policy: ReleasePolicy;
  readonly rule: Rule;
  /** Of two findings about the same rule and field the higher one asks for more: it is the one to tell. */
  readonly rank: number;
}

export type Labels = Readonly<Record<string, string>> | undefined;

export interface Subject {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  /** Of the Deployment, before and after the edit: taking a label off does not take it out of a policy in the same edit. */
  readonly workloadLabels: readonly Labels[];
}

export const enforcementOf = ({ spec }: ReleasePolicy): Enforcement => spec.enforcement ?? 'Deny';

/** Policies that are not on their way out and select this Deployment, by name. */
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
        // Nothing is known of a Deployment that is not there yet: then only those count that select all.
        (isEmpty(workloadSelector) || subject.workloadLabels.some((labels) => selects(workloadSelector, labels)))
      );
    })
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions ?? []).length === 0;

/** As Kubernetes: an empty selector selects all; NotIn holds where the label is missing. */
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

/** A person who does something. */
export interface Person {
  readonly user: string;
  readonly groups: readonly string[];
  /** The reason they give for going past policy; undefined = they do not. */
  readonly breakGlass: string | undefined;
}

export interface Judgement {
  readonly denied: readonly Finding[];
  readonly warned: readonly Finding[];
  readonly audited: readonly Finding[];
  /** Would have been one of these, but the person may go past it, and says why. */
  readonly broken: readonly Finding[];
}

/** What breaking the glass opens. What a Rollout must be like, and how many run at once, it does not. */
const BREAKABLE: ReadonlySet<Rule> = new Set(['requireRollout', 'approval', 'windows', 'protectInFlight']);

/** Per rule and field the strictest finding counts: Deny before Warn before Audit, then the one that asks for more. */
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

/** Tells who could go past it, or why this person's try did not. */
function withBreakGlass(finding: Finding, { breakGlass, groups }: Person): Finding {
  const allowed = finding.policy.spec.breakGlass?.groups ?? [];
  if (!BREAKABLE.has(finding.rule) || allowed.length === 0) return finding;
  const who = allowed.join(' or ');
  const remedy =
    breakGlass === undefined
      ? `${finding.remedy}; in an emergency ${who} may add the annotation tranche.dev/break-glass="<reason>" to the change`
      : breakGlass.trim() === '' && mayBreak(finding.policy, groups)
        ? 'give a reason: the annotation tranche.dev/break-glass is empty'
        : `${finding.remedy}; the annotation tranche.dev/break-glass counts only from ${who}`;
  return { ...finding, remedy };
}
