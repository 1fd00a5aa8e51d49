// The decision on scaling a workload to 0. During a release, scaling up again would create only Pods of the new version.
import type { Deployment, Rollout } from '../../api/types.ts';
import type { Sha256 } from '../lib/template.ts';
import { judgeScaleToZero } from '../policy/rules.ts';
import { standingMark } from './break-glass.ts';
import { pass, personOf, type AdmissionDecision, type Facts } from './decision.ts';
import { deny, EVERY_OUTCOME, outcomesOf } from './outcomes.ts';

export interface ScaleFacts extends Facts {
  /** spec.replicas. A Scale omits 0. */
  readonly replicas: { readonly before: number; readonly after: number };
  readonly deployment: Deployment | undefined;
  readonly rollout: Rollout | undefined;
  readonly sha256: Sha256;
}

export function admitScale(facts: ScaleFacts): AdmissionDecision {
  const { operation, replicas, deployment, rollout, by, sha256, policies } = facts;
  if (operation !== 'UPDATE' || replicas.after !== 0 || replicas.before === 0) return pass;
  if (policies === undefined || deployment === undefined || facts.notReady !== undefined) return pass;
  const findings = judgeScaleToZero(policies.matching([deployment.metadata.labels]), rollout, deployment);
  const mark = standingMark(rollout, { stored: rollout, deployment, by, sha256 });
  const said = outcomesOf(findings, personOf(by, mark?.reason), deployment, by, EVERY_OUTCOME);
  if (said.violations.length > 0) return deny(said);
  return { ...pass, warnings: facts.warns ? said.warnings : [], reports: said.reports };
}
