// The notes below the table of a plan.
import type { Deployment, PodTemplate, Rollout } from '../../api/types.ts';
import type { InterceptOptions } from '../../engine/admit/edit.ts';
import { intercept } from '../../engine/admit/intercept.ts';
import { sameTemplate } from '../../engine/lib/template.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import type { Experience, Plan } from '../../engine/steps/plan.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
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
  if (deployment.spec.strategy?.type === 'Recreate')
    notes.push(
      'the strategy of the Deployment is Recreate: all Pods are replaced at the same time, without these steps',
    );
  if (replicas === 0)
    notes.push(
      'the Deployment has 0 replicas: a change does not go through steps, and its Pods start with the new version when it is scaled up',
    );
  if (live && live !== deployment) notes.push(...notesOnEdit(rollout, live, deployment.spec.template, granting));
  const idle = steps.filter(({ replaces, wait }) => replaces === 0 && wait !== 'None').map(({ step }) => `${step}`);
  if (idle.length > 0)
    notes.push(
      idle.length === 1
        ? `step ${idle[0]} replaces no Pods and only waits`
        : `steps ${idle.join(', ')} replace no Pods and only wait`,
    );
  if (steps[0]?.startsAfterApproval) notes.push('step 1 updates all Pods: it waits for approval before it starts');
  if (approvals > 0)
    notes.push(
      `the release waits for approval ${approvals === 1 ? 'once' : `${approvals} times`}; to approve: kubectl tranche approve ${rollout.metadata.name}${namespaceFlag(rollout)}`,
    );
  if (pauseSeconds > 0) notes.push(`the pauses take ${duration(pauseSeconds * 1000)} in total`);
  if (rollout.spec.strategy.canary?.onFailure === 'Rollback')
    notes.push('if a step fails, the release rolls back immediately');
  if (experience && replicas > 0) {
    const { releases, medianSeconds } = experience;
    const of =
      releases === 1 ? 'as the last completed release' : `the median of the last ${releases} completed releases`;
    notes.push(`expected duration: ${duration(medianSeconds * 1000)} (${of}, including waits for approval)`);
  }
  return notes;
}

/** Whether this template starts a release, changes nothing, or rolls back. */
function notesOnEdit(
  rollout: Rollout,
  live: Deployment,
  template: PodTemplate,
  granting: InterceptOptions['granting'],
): readonly string[] {
  if (sameTemplate(live.spec.template, template)) return ['the template does not change: no release starts'];
  if (readHeld(live)?.stable === digest(template))
    return ['this is the stable version: the release rolls back immediately, not in steps'];
  const next = { ...live, spec: { ...live.spec, template } };
  const edit = { operation: 'UPDATE', old: live, next, user: '', fieldManager: '' } as const;
  const { verdict, warnings } = intercept(edit, rollout, { operatorUser: '', sha256, ...(granting && { granting }) });
  const told =
    verdict === 'Held' ? warnings.slice(1) : ['Bypassed', 'Superseded', 'Restored'].includes(verdict) ? warnings : [];
  return told.map((text) => text.replace(/^tranche: /, ''));
}
