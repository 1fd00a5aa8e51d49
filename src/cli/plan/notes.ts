// The notes below the table of a plan.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, PodTemplate, Rollout } from '../../api/types.ts';
import type { InterceptOptions } from '../../engine/admit/edit.ts';
import { intercept } from '../../engine/admit/intercept.ts';
import { sameTemplate } from '../../engine/lib/template.ts';
import { namespaceFlag, plural } from '../../engine/lib/text.ts';
import type { Experience, Plan } from '../../engine/steps/plan.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import { digest, sha256 } from '../../kube/digest.ts';
import type { Context } from '../context.ts';
import { policyNotes } from '../policies.ts';
import { duration } from '../text.ts';
import type { Subject } from './subject.ts';

/** For an edit, these include the warnings of the webhook. */
export function notesOf(
  subject: Subject,
  { approvals, pauseSeconds, replicas }: Plan,
  experience: Experience | undefined,
  granting: InterceptOptions['granting'],
): string[] {
  const { rollout, deployment, live } = subject;
  const notes: string[] = [];
  if (rollout.spec.disabled === true)
    notes.push('the Rollout is disabled: a change is a normal rolling update, without these steps');
  if (deployment.spec.strategy?.type === 'Recreate')
    notes.push('the strategy of the Deployment is Recreate: all Pods are replaced at once, without these steps');
  if (replicas === 0) notes.push('the Deployment has no Pods: a change does not go through steps');
  if (live && live !== deployment) notes.push(...notesOnEdit(rollout, live, deployment.spec.template, granting));
  if (approvals > 0)
    notes.push(
      `${plural(approvals, 'approval')} required, each with: kubectl tranche approve ${rollout.metadata.name}${namespaceFlag(rollout)}`,
    );
  if (pauseSeconds > 0) notes.push(`the pauses take ${duration(pauseSeconds * 1000)} in total`);
  if (rollout.spec.strategy.canary?.onFailure === 'Rollback')
    notes.push('if a step fails, the release rolls back at once');
  if (experience)
    notes.push(
      `expected duration: ${duration(experience.medianSeconds * 1000)} (the median of the last ${plural(experience.releases, 'completed release')}, including waits for approval)`,
    );
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
    return ['this is the version before the current release: the release rolls back at once, not in steps'];
  const next = { ...live, spec: { ...live.spec, template } };
  const edit = { operation: 'UPDATE', old: live, next, user: '', fieldManager: '' } as const;
  const { verdict, warnings } = intercept(edit, rollout, { operatorUser: '', sha256, ...(granting && { granting }) });
  const told =
    verdict === 'Held' ? warnings.slice(1) : ['Bypassed', 'Superseded', 'Restored'].includes(verdict) ? warnings : [];
  return told.map((text) => text.replace(/^tranche: /, ''));
}

/** Empty without a cluster. */
export async function policyNotesOf(
  context: Context,
  { rollout, live }: Subject,
  policies: readonly ReleasePolicy[] | undefined,
  replicas: number,
): Promise<string[]> {
  if (!live) return [];
  const { createCalendar } = await import('../../schedule/calendar.ts');
  if (policies === undefined)
    return ['you may not read ReleasePolicies and namespaces: policies are not taken into account'];
  return policyNotes(policies, rollout, replicas, context.io.now(), createCalendar());
}
