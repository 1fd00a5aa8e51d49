// Deployments, Rollouts and facts for tables of admission: no server, no cluster.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicy } from '../../../src/api/policy.ts';
import type { CanaryStatus, Deployment, Rollout, TemplateDigest } from '../../../src/api/types.ts';
import type { AdmissionDecision, Facts, Policies, Requester } from '../../../src/engine/admit/decision.ts';
import type { Context, Edit, InterceptOptions } from '../../../src/engine/admit/edit.ts';
import { contextOf } from '../../../src/engine/admit/intercept.ts';
import { admitWorkload, type WorkloadFacts } from '../../../src/engine/admit/workload.ts';
import { templateDigest } from '../../../src/engine/lib/template.ts';
import { matching } from '../../../src/engine/policy/policy.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { createCalendar } from '../../../src/schedule/calendar.ts';
import { PAUSED_AT_STEP_1, webDeployment } from '../../support/objects.ts';
import { applyOps } from '../../support/json-patch.ts';

export const OPERATOR = 'system:serviceaccount:tranche:tranche';
/** A Monday. */
export const NOW = Date.parse('2026-01-05T10:05:00Z');
export const FREEZE = { deny: [{ schedule: '0 9 * * MON', durationSeconds: 7200, reason: 'board meeting' }] };

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
export const digestOf = ({ spec }: Deployment): TemplateDigest => templateDigest(spec.template, sha256);

type Metadata = Partial<Deployment['metadata']>;
type Spec = Partial<Deployment['spec']>;

/** Ten Pods of this version, at rest. */
export const web = (version: string, spec: Spec = {}, metadata: Metadata = {}): Deployment =>
  webDeployment(version, spec, { namespace: 'shop', ...metadata });

/** The same Deployment with another template. */
export const withVersion = (deployment: Deployment, version: string): Deployment => ({
  ...deployment,
  spec: { ...deployment.spec, template: web(version).spec.template },
});
export const withSpec = (deployment: Deployment, spec: Spec): Deployment => ({
  ...deployment,
  spec: { ...deployment.spec, ...spec },
});
export const annotated = <T extends Deployment | Rollout>(object: T, annotations: Record<string, string>): T => ({
  ...object,
  metadata: { ...object.metadata, annotations: { ...object.metadata.annotations, ...annotations } },
});

/** Three steps, each of which waits for approval. `status`: it is in the middle of a release. */
export const demo = (
  status?: Partial<CanaryStatus>,
  steps: readonly (number | string)[] = [1, '50%', '100%'],
): Rollout => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'demo', namespace: 'shop', uid: 'r-1' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: steps.map((replicas) => ({ replicas })) } },
  },
  ...(status && {
    status: {
      phase: 'Progressing' as const,
      currentStepIndex: status.currentStepIndex ?? 1,
      currentStepState: status.currentStepState ?? 'StepPaused',
      canaryStatus: { ...PAUSED_AT_STEP_1, ...status },
    },
  }),
});

/** The Rollout in the middle of the release from this version, as the operator's status says. */
export const releasingFrom = (version: string): Rollout => demo({ stableDigest: digestOf(web(version)) });
export const disabled = (rollout: Rollout = demo()): Rollout => ({
  ...rollout,
  spec: { ...rollout.spec, disabled: true },
});

export const alice: Requester = {
  request: 'review-1',
  user: 'alice',
  groups: ['dev'],
  fieldManager: 'kubectl-edit',
  dryRun: false,
};
export const as = (user: string, ...groups: string[]): Requester => ({ ...alice, user, groups });
export const operator: Requester = { ...as(OPERATOR), fieldManager: keys.FIELD_MANAGER };

export const policiesOf = (...all: readonly ReleasePolicy[]): Policies => ({
  matching: (workloadLabels) => matching(all, { namespace: 'shop', namespaceLabels: {}, workloadLabels }, new Set()),
  inFlight: () => 2,
  calendar: createCalendar(),
  now: NOW,
});

/** An update by Alice where there are no policies. */
export const facts = (more: Partial<Facts> = {}): Facts => ({
  operation: 'UPDATE',
  subResource: '',
  by: alice,
  operatorUser: OPERATOR,
  warns: true,
  notReady: undefined,
  policies: undefined,
  answers: {},
  ...more,
});

export const editOf = (old: Deployment | undefined, next: Deployment, by: Requester = alice): Edit => ({
  operation: old === undefined ? 'CREATE' : 'UPDATE',
  old,
  next,
  user: by.user,
  fieldManager: by.fieldManager,
});

export const contextFor = (
  old: Deployment | undefined,
  next: Deployment,
  rollout: Rollout | undefined = demo(),
  more: Partial<InterceptOptions> = {},
  fieldManager = alice.fieldManager,
): Context =>
  contextOf(editOf(old, next, { ...alice, fieldManager }), rollout, { operatorUser: OPERATOR, sha256, ...more });

export const workloadFacts = (
  old: Deployment | undefined,
  next: Deployment,
  rollout: Rollout | undefined,
  more: Partial<Facts> = {},
): WorkloadFacts => {
  const operation = old === undefined ? 'CREATE' : 'UPDATE';
  const common = facts({ operation, ...more });
  return { ...common, edit: editOf(old, next, common.by), namespace: 'shop', name: 'web', rollout, sha256 };
};

/** `old` with a release to this version under way, as the webhook holds it. */
export function held(version = 'v2', old: Deployment = web('v1'), rollout: Rollout = demo()): Deployment {
  const next = withVersion(old, version);
  const decision = admitWorkload(workloadFacts(old, next, rollout));
  assert.equal(decision.verdict, 'Held');
  return stored(next, decision);
}

/** What the API server stores. */
export const stored = <T extends object>(object: T, { patch = [] }: AdmissionDecision): T => applyOps(object, patch);

/** What the user reads when the request is refused. */
export const refusal = ({ violations = [] }: AdmissionDecision): string => violations.map(sentence).join('\n');
export const warningsOf = ({ warnings = [] }: AdmissionDecision): string => warnings.join('\n');
export const outcomes = ({ reports = [] }: AdmissionDecision): string[] =>
  reports.map(({ outcome, finding }) => `${outcome} ${finding.rule}`);
