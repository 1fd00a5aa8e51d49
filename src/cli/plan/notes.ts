// What the reader of a plan should know beside the numbers.
import type { Deployment, PodTemplate, Rollout } from '../../api/types.ts';
import { intercept } from '../../engine/admit/intercept.ts';
import { sameTemplate } from '../../engine/lib/template.ts';
import { namespaceFlag, plural } from '../../engine/lib/text.ts';
import type { Experience, Plan } from '../../engine/steps/plan.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import { digest, sha256 } from '../../kube/digest.ts';
import type { Context } from '../context.ts';
import { policiesFor, policyNotes } from '../policies.ts';
import { duration } from '../text.ts';
import type { Subject } from './subject.ts';

/** The webhook's own words where it would say some. */
export function notesOf(
  subject: Subject,
  { approvals, pauseSeconds, replicas }: Plan,
  experience: Experience | undefined,
): string[] {
  const { rollout, deployment, live } = subject;
  const notes: string[] = [];
  if (rollout.spec.disabled === true)
    notes.push('the Rollout is disabled: a change goes out as a normal rolling update, without these steps');
  if (deployment.spec.strategy?.type === 'Recreate')
    notes.push('the strategy of the Deployment is Recreate: all Pods are replaced at once, without these steps');
  if (replicas === 0) notes.push('there are no Pods: a change goes out without steps');
  if (live && live !== deployment) notes.push(...notesOnEdit(rollout, live, deployment.spec.template));
  if (approvals > 0)
    notes.push(
      `${plural(approvals, 'approval')}, each with: kubectl tranche approve ${rollout.metadata.name}${namespaceFlag(rollout)}`,
    );
  if (pauseSeconds > 0) notes.push(`the pauses take ${duration(pauseSeconds * 1000)} together`);
  if (rollout.spec.strategy.canary?.onFailure === 'Rollback')
    notes.push('when a step fails, the version before is put back at once');
  if (experience)
    notes.push(
      `it may take ${duration(experience.medianSeconds * 1000)}: the median of the last ${plural(experience.releases, 'completed release')}, waiting for people included`,
    );
  return notes;
}

/** What the Deployment gets this template for. */
function notesOnEdit(rollout: Rollout, live: Deployment, template: PodTemplate): readonly string[] {
  if (sameTemplate(live.spec.template, template)) return ['the template is the one it has: this starts no release'];
  if (readHeld(live)?.stable === digest(template))
    return ['this is the version before the release that is under way: it rolls back at once, not in steps'];
  const next = { ...live, spec: { ...live.spec, template } };
  const edit = { operation: 'UPDATE', old: live, next, user: '', fieldManager: '' } as const;
  const { verdict, warnings } = intercept(edit, rollout, { operatorUser: '', sha256 });
  return verdict === 'Bypassed' || verdict === 'Superseded'
    ? warnings.map((text) => text.replace(/^tranche: /, ''))
    : [];
}

/** Without a cluster there are none to ask. */
export async function policyNotesOf(
  context: Context,
  { rollout, deployment, live }: Subject,
  replicas: number,
): Promise<string[]> {
  if (!live) return [];
  const { createCalendar } = await import('../../schedule/calendar.ts');
  const policies = await policiesFor(await context.cluster(), rollout, deployment);
  if (policies === undefined)
    return ['you may not read ReleasePolicies and namespaces: what policies say about it is not known'];
  return policyNotes(policies, rollout, replicas, context.io.now(), createCalendar());
}
