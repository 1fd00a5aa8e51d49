// The notes below the table of a plan.
import type { AnalysisCheck } from '../../api/analysis.ts';
import type { Deployment, PodTemplate, Rollout } from '../../api/types.ts';
import type { InterceptOptions } from '../../engine/admit/edit.ts';
import { intercept } from '../../engine/admit/intercept.ts';
import { knownReplicas } from '../../engine/lib/replicas.ts';
import { sameTemplate } from '../../engine/lib/template.ts';
import { namespaceFlag, plural } from '../../engine/lib/text.ts';
import type { Experience, Plan } from '../../engine/steps/plan.ts';
import { describeStep, routingOf } from '../../engine/traffic/plan.ts';
import { routingRefOf } from '../../engine/traffic/routing-object.ts';
import { deploymentKind } from '../../engine/workload/deployment/kind.ts';
import { recordOn } from '../../engine/workload/record.ts';
import { rollsBackIfWorse } from '../../view/checks.ts';
import { modeInWords, requestsOf } from '../../view/requests.ts';
import { experienceInWords } from '../../view/words.ts';
import { kindFor } from '../../view/facts.ts';
import { digest, sha256 } from '../../kube/digest.ts';
import { duration } from '../text.ts';
import type { Subject } from './subject.ts';

/** For an edit, these include the warnings of the webhook. */
export function notesOf(
  subject: Subject,
  { approvals, pauseSeconds, replicas, steps }: Plan,
  experience: Experience | undefined,
  granting: InterceptOptions['granting'],
): string[] {
  const { rollout, deployment, live } = subject;
  const notes: string[] = [];
  if (rollout.spec.disabled === true)
    notes.push('the Rollout is disabled: a change is a normal rolling update, without these steps');
  const kind = kindFor(rollout);
  const obstacle = kind.obstacle(deployment);
  if (obstacle)
    notes.push(
      kind === deploymentKind
        ? 'the strategy of the Deployment is Recreate: all Pods are replaced at the same time, without these steps'
        : `the ${kind.resource.kind} has ${obstacle.strategy}, which ${obstacle.effect}, without these steps`,
    );
  if (replicas === 0)
    notes.push(
      `the ${kind.resource.kind} has 0 replicas: a change does not go through steps, and its Pods start with the new version when it is scaled up`,
    );
  if (knownReplicas(deployment) === undefined)
    notes.push('the number of nodes is not known without a cluster: write it with --replicas');
  if (live && live !== deployment) notes.push(...notesOnEdit(rollout, live, deployment.spec.template, granting));
  const idle = steps
    .filter(({ replaces, wait, step = 0 }) => {
      return replaces === 0 && wait !== 'None' && requestsOf(rollout, step - 1, replicas) === undefined;
    })
    .map(({ step }) => `${step}`);
  if (idle.length > 0)
    notes.push(
      idle.length === 1
        ? `step ${idle[0]} replaces no Pods and only waits`
        : `steps ${idle.join(', ')} replace no Pods and only wait`,
    );
  if (steps[0]?.startsAfterApproval) notes.push('step 1 updates all Pods: it waits for approval before it starts');
  const routing = routingRefOf(rollout);
  if (routing !== undefined)
    notes.push(`TrafficRouting ${routing} changes headers of requests that match during the release`);
  notes.push(...notesOnRequests(rollout, replicas), ...notesOnChecks(rollout, steps));
  if (approvals > 0)
    notes.push(
      `the release waits for approval ${approvals === 1 ? 'once' : `${approvals} times`}; to approve: kubectl tranche approve ${rollout.metadata.name}${namespaceFlag(rollout)}`,
    );
  if (pauseSeconds > 0) notes.push(`the pauses take ${duration(pauseSeconds * 1000)} in total`);
  if (rollout.spec.strategy.canary?.onFailure === 'Rollback')
    notes.push('if a step fails, the release rolls back immediately');
  if (experience && replicas > 0) {
    const { took, of } = experienceInWords(experience);
    notes.push(`expected duration: ${took} (${of}, including waits for approval)`);
  }
  return notes;
}

/** Which requests each step sends to the new version. */
function notesOnRequests(rollout: Rollout, replicas: number): string[] {
  const routing = routingOf(rollout);
  const { steps = [] } = rollout.spec.strategy.canary ?? {};
  const mode = modeInWords(rollout, replicas);
  if (routing === undefined || mode === undefined) return [];
  const lines = steps.map((_, index) => describeStep(routing, steps, index, replicas));
  return [...lines.filter((line) => line !== undefined), mode];
}

/** What the checks do in the release, and what ends the watching of each step. */
function notesOnChecks(rollout: Rollout, steps: Plan['steps']): string[] {
  const { analysis = [] } = rollout.spec.strategy.canary ?? {};
  if (analysis.length === 0) return [];
  const rollsBack = analysis.filter((check) => rollsBackIfWorse(check, rollout));
  const holds = analysis.filter((check) => !rollsBack.includes(check));
  const named = (checks: readonly AnalysisCheck[]): string =>
    `${checks.length === 1 ? 'check' : 'checks'} ${checks.map(({ name }) => name).join(', ')}`;
  const notes = [
    ...(holds.length > 0
      ? [`${named(holds)}: if the new version is worse, the release stops and waits for approval`]
      : []),
    ...(rollsBack.length > 0
      ? [`${named(rollsBack)}: if the new version is worse, the release rolls back immediately`]
      : []),
  ];
  const watched = steps.flatMap(({ step, watched }) => (watched === undefined ? [] : [{ step, ...watched }]));
  if (watched.length === 0)
    return [...notes, 'no step waits for the checks: to watch a step, write analysis.seconds in it'];
  notes.push('a watched step ends earlier if all checks are Fine, and it waits as long as a check has no data');
  for (const { step, minTotal = 0, lowTraffic = 'Approval' } of watched)
    if (minTotal > 0)
      notes.push(`step ${step}: with fewer than ${plural(minTotal, 'request')} by then, ${LOW_TRAFFIC[lowTraffic]}`);
  return notes;
}

const LOW_TRAFFIC = {
  Approval: 'it waits for approval',
  Wait: 'it waits for more requests',
  Continue: 'it continues',
} as const;

/** Whether this template starts a release, changes nothing, or rolls back. */
function notesOnEdit(
  rollout: Rollout,
  live: Deployment,
  template: PodTemplate,
  granting: InterceptOptions['granting'],
): readonly string[] {
  if (sameTemplate(live.spec.template, template)) return ['the template does not change: no release starts'];
  if (recordOn(live)?.stable === digest(template))
    return ['this is the stable version: the release rolls back immediately, not in steps'];
  const next = { ...live, spec: { ...live.spec, template } };
  const edit = { kind: kindFor(rollout), operation: 'UPDATE', old: live, next, user: '', fieldManager: '' } as const;
  const { verdict, warnings } = intercept(edit, rollout, { operatorUser: '', sha256, ...(granting && { granting }) });
  const told =
    verdict === 'Held' ? warnings.slice(1) : ['Bypassed', 'Superseded', 'Restored'].includes(verdict) ? warnings : [];
  return told.map((text) => text.replace(/^tranche: /, ''));
}
