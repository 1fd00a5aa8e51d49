// The outcome of policy findings for one request: refusals, warnings and reports.
import type { KubeObject } from '../../api/types.ts';
import { judge, type Finding, type Person } from '../policy/policy.ts';
import { sentence, type Violation } from '../validate/violation.ts';
import type { AdmissionDecision, PolicyOutcome, PolicyReport, Requester } from './decision.ts';

export interface Said {
  /** The reasons to refuse the request. */
  readonly violations: readonly Violation[];
  readonly warnings: readonly string[];
  readonly reports: readonly PolicyReport[];
  /** The user breaks the glass of a policy, and may do so. */
  readonly broken: boolean;
}

export const nothingSaid: Said = { violations: [], warnings: [], reports: [], broken: false };

export const EVERY_OUTCOME: readonly PolicyOutcome[] = ['denied', 'warned', 'audited', 'broken'];

/**
 * `reported`: the outcomes that this webhook reports for an allowed request, so that two webhooks do not report the same. For a denied request only
 * the denial is reported, and for a dry run nothing.
 */
export function outcomesOf(
  findings: readonly Finding[],
  person: Person,
  about: KubeObject,
  by: Requester,
  reported: readonly PolicyOutcome[],
): Said {
  if (findings.length === 0) return nothingSaid;
  const judgement = judge(findings, person);
  const { denied, warned, broken } = judgement;
  const told: readonly PolicyOutcome[] = by.dryRun ? [] : denied.length > 0 ? ['denied'] : reported;
  const { request, user } = by;
  return {
    violations: denied,
    warnings: [...warned.map(onlyWarns), ...(broken.length > 0 ? [wentPast(broken)] : [])],
    reports: told.flatMap((outcome) =>
      judgement[outcome].map((finding) => {
        return { outcome, finding, about, user, request, breakGlass: person.breakGlass };
      }),
    ),
    broken: broken.length > 0,
  };
}

/** A refusal by a policy. */
export const deny = ({ violations, reports }: Said): AdmissionDecision => ({ verdict: 'Denied', violations, reports });

const onlyWarns = (finding: Finding): string =>
  `tranche: policy ${finding.policy.metadata.name} warns: ${sentence(finding)}`;

const wentPast = (broken: readonly Finding[]): string => {
  const names = [...new Set(broken.map(({ policy }) => policy.metadata.name))].join(', ');
  return `tranche: policy ${names} overridden; your reason is recorded`;
};
