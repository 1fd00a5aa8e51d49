// Shared parts of commands that change something: read, decide, write once with a precondition, print the result.
import { DEPLOYMENTS, ROLLOUTS } from '../api/resources.ts';
import { ROLLOUT_RESOURCE } from '../api/keys.ts';
import type { Deployment, KubeObject, Rollout } from '../api/types.ts';
import { replicasOf } from '../engine/lib/replicas.ts';
import { namespaceFlag, pods } from '../engine/lib/text.ts';
import { ownerOf } from '../engine/release/governing-rollout.ts';
import { isUnreported, messageOf, stateOf } from '../view/state.ts';
import type { Cluster, Write } from './cluster.ts';
import type { Context } from './context.ts';
import { CliError } from './exit.ts';
import { dryRunNote, type DryRun } from './flags.ts';
import { oneLine } from './paint.ts';
import { findWorkload, getRollout, listRollouts } from './resources.ts';
import { describeWait } from './text.ts';

export interface Target {
  readonly rollout: Rollout;
  readonly deployment: Deployment | undefined;
}

export interface Change {
  /** Absent: nothing to write. */
  readonly write?: Write;
  /** The result for the user. `answer`: the answer of the server; undefined if nothing was sent. */
  says(answer: Rollout | undefined): string | Promise<string>;
}

const ATTEMPTS = 5;

/** Reads, decides and writes. On a conflict, for example with the operator, it starts again. */
export async function change(
  context: Context,
  name: string,
  dryRun: DryRun,
  decide: (target: Target) => Change | Promise<Change>,
): Promise<Target> {
  const cluster = await context.cluster();
  for (let attempt = 1; ; attempt++) {
    const target = await getTarget(cluster, name);
    const { write, says } = await decide(target);
    try {
      const answer = write && (await cluster.send(write, dryRun));
      context.io.out(`${oneLine(await says(answer as Rollout | undefined))}${dryRunNote(dryRun)}\n`);
      return target;
    } catch (error) {
      if (cluster.answerOf(error) !== 'Conflict' || attempt >= ATTEMPTS) throw error;
    }
  }
}

export async function getTarget(cluster: Cluster, name: string): Promise<Target> {
  const rollout = await getRollout(cluster, name);
  const [deployment] = await Promise.all([findWorkload(cluster, rollout), refuseRival(cluster, rollout)]);
  return { rollout, deployment };
}

/** Throws CliError if an older Rollout names the same Deployment: only that one is in effect. */
async function refuseRival(cluster: Cluster, { metadata, spec }: Rollout): Promise<void> {
  const all = await listRollouts(cluster, metadata.namespace).catch((error: unknown) => {
    if (cluster.answerOf(error) === 'Forbidden') return [];
    throw error;
  });
  const owner = ownerOf(all.filter((one) => one.spec.workloadRef.name === spec.workloadRef.name));
  if (owner === undefined || owner.metadata.name === metadata.name) return;
  throw new CliError(
    `Deployment "${spec.workloadRef.name}" is released by Rollout "${owner.metadata.name}"; "${metadata.name}" has no effect: ` +
      `delete it with: kubectl delete ${ROLLOUT_RESOURCE} ${metadata.name}${namespaceFlag({ metadata })}`,
  );
}

export const nameOf = ({ metadata }: KubeObject): { namespace: string | undefined; name: string } => ({
  namespace: metadata.namespace,
  name: metadata.name,
});

const MERGE = 'application/merge-patch+json';

/** Contains the resourceVersion that the user saw, so an approval applies to that state only. */
export const patchStatus = (rollout: Rollout, canaryStatus: Readonly<Record<string, unknown>>): Write => ({
  method: 'PATCH',
  resource: ROLLOUTS,
  ...nameOf(rollout),
  subresource: 'status',
  contentType: MERGE,
  body: { metadata: { resourceVersion: rollout.metadata.resourceVersion }, status: { canaryStatus } },
});

/** The approval of the waiting step. */
export const approvalOf = (rollout: Rollout): Write => patchStatus(rollout, { currentStepState: 'StepReady' });

export const patchSpec = (rollout: Rollout, spec: Readonly<Record<string, unknown>>): Write => ({
  method: 'PATCH',
  resource: ROLLOUTS,
  ...nameOf(rollout),
  contentType: MERGE,
  body: { metadata: { resourceVersion: rollout.metadata.resourceVersion }, spec },
});

/** Replaces the whole template, because a merge patch cannot remove fields. */
export const replaceTemplate = (deployment: Deployment, template: Deployment['spec']['template']): Write => ({
  method: 'PATCH',
  resource: DEPLOYMENTS,
  ...nameOf(deployment),
  contentType: 'application/json-patch+json',
  body: [
    { op: 'replace', path: '/metadata/resourceVersion', value: deployment.metadata.resourceVersion },
    { op: 'replace', path: '/spec/template', value: template },
  ],
});

/** Returns the status of the release. Throws CliError if no release is in progress. */
export function inRelease(target: Target, verb: string): NonNullable<Rollout['status']>['canaryStatus'] & object {
  const { rollout, deployment } = target;
  const name = rollout.metadata.name;
  if (deployment && isUnreported(rollout, deployment))
    throw new CliError(
      `cannot ${verb}: the operator has not reported the new release of ${name} yet; try again in a moment. ` +
        'If this persists: kubectl tranche doctor',
    );
  const status = rollout.status?.canaryStatus;
  if (rollout.status?.phase !== 'Progressing' || !status)
    throw new CliError(`cannot ${verb}: no release of ${name} is in progress (${standing(target)})`);
  return status;
}

/** Like inRelease. Also throws if all steps are done and the native controller finishes the release. */
export function inSteps(target: Target, verb: string): ReturnType<typeof inRelease> {
  const status = inRelease(target, verb);
  const state = stateOf(target.rollout, target.deployment);
  if (state === 'Finishing' || state === 'RollingBack' || status.currentStepState === 'Completed')
    throw new CliError(
      `cannot ${verb}: ${target.rollout.metadata.name} is ${state === 'RollingBack' ? 'rolling back' : 'finishing'}: ${target.rollout.status?.message}`,
    );
  return status;
}

/** `step 2 of 3: 5 of 10 Pods, then it waits for approval` */
export async function describeStep({ rollout, deployment }: Target, index: number): Promise<string> {
  const all = rollout.spec.strategy.canary?.steps?.length ?? 0;
  if (!deployment) return `step ${index} of ${all}`;
  const { planRelease } = await import('../engine/steps/plan.ts');
  const planned = planRelease(rollout, deployment).steps.find(({ step }) => step === index);
  const size = pods(replicasOf(deployment));
  if (index > all) return 'the rest of the Pods, then the release is done';
  if (!planned) return `step ${index} of ${all}, then the release is done`;
  const then =
    planned.old === 0 && planned.wait === 'None' ? 'then the release is done' : `then it ${describeWait(planned.wait)}`;
  return `step ${index} of ${all}: ${planned.updated} of ${size}, ${then}`;
}

/** How to resume the release if it is paused; otherwise empty. */
export const whileFrozen = ({ rollout, deployment }: Target): string =>
  stateOf(rollout, deployment) === 'Paused'
    ? `; it is paused, resume it with: kubectl tranche resume ${rollout.metadata.name}${namespaceFlag(rollout)}`
    : '';

export const follow = (rollout: Rollout): string =>
  `follow it with: kubectl tranche status ${rollout.metadata.name}${namespaceFlag(rollout)} --watch`;

/** `Waiting: step 1/3 done: ...` */
export const standing = ({ rollout, deployment }: Target): string =>
  `${stateOf(rollout, deployment)}: ${messageOf(rollout) ?? 'no status yet'}`;

/** Throws CliError if the Rollout is being deleted. */
export function refuseDeleted({ metadata }: Rollout, verb: string): void {
  if (metadata.deletionTimestamp !== undefined) throw new CliError(`cannot ${verb}: ${metadata.name} is being deleted`);
}
