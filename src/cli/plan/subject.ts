// The Rollout and the workload of a plan, from the cluster, from files, or from both.
import { groupOf } from '../../api/resources.ts';
import type { Deployment, PodTemplate, Rollout } from '../../api/types.ts';
import { deploymentTemplate } from '../../engine/lib/template.ts';
import { validateRollout } from '../../engine/validate/rollout.ts';
import { sentence } from '../../engine/validate/violation.ts';
import { recordOn } from '../../engine/workload/record.ts';
import type { Cluster } from '../cluster.ts';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../exit.ts';
import { isWritten } from '../files/defaults.ts';
import type { Found } from '../files/read.ts';
import { resourceOf } from '../../view/reference.ts';
import { gather, getDeployment, getRollout } from '../resources.ts';

export interface Subject {
  readonly rollout: Rollout;
  /** With the planned changes. */
  readonly deployment: Deployment;
  /** The current Deployment; undefined without a cluster. */
  readonly live: Deployment | undefined;
  /** All objects of the files. */
  readonly objects: readonly Found[];
}

/** `name` and `files`: as the user wrote them. Throws CliError unless they specify exactly one Rollout. */
export async function subjectOf(
  context: Context,
  files: readonly string[],
  name: string | undefined,
): Promise<Subject> {
  const { objects, ...given } = await fromFiles(context, files);
  if (given.rollout && name !== undefined && given.rollout.metadata.name !== name)
    throw usageError(
      `the files contain Rollout "${given.rollout.metadata.name}", not "${name}": remove the name or the file`,
    );
  if (given.rollout && given.deployment)
    return { rollout: given.rollout, deployment: given.deployment, live: undefined, objects };
  const rollout = given.rollout ?? (await findRollout(context, name, given.deployment));
  const cluster = await context.cluster();
  const live = await getDeployment(
    cluster,
    rollout.spec.workloadRef.name,
    rollout.metadata.namespace,
    resourceOf(rollout),
  );
  if (!given.deployment) return { rollout, deployment: live, live, objects };
  const next = merged(live, given.deployment);
  const template = await keptTemplate(context, cluster, rollout, live, next);
  return { rollout, deployment: { ...next, spec: { ...next.spec, template } }, live, objects };
}

/** Finds the Rollout by its name, or by the workload in the files. */
async function findRollout(
  context: Context,
  name: string | undefined,
  deployment: Deployment | undefined,
): Promise<Rollout> {
  const asked =
    name ??
    (deployment &&
      `${(deployment.kind ?? 'Deployment').toLowerCase()}.${groupOf(deployment.apiVersion ?? 'apps/v1')}/${deployment.metadata.name}`);
  if (asked === undefined) throw usageError('specify a Rollout: write its name, or -f with a file that contains one');
  return getRollout(await context.cluster(), asked);
}

/** The template with the defaults of the API server, if the cluster already has this template; otherwise as written. */
async function keptTemplate(
  context: Context,
  cluster: Cluster,
  rollout: Rollout,
  live: Deployment,
  next: Deployment,
): Promise<PodTemplate> {
  const { view } = await gather(cluster, rollout, context.io.now());
  const kept = (view?.oldVersions ?? []).map(({ template }) => deploymentTemplate(template));
  return [live.spec.template, ...kept].find((one) => isWritten(next.spec.template, one)) ?? next.spec.template;
}

async function fromFiles(
  context: Context,
  files: readonly string[],
): Promise<{ objects: readonly Found[]; rollout?: Rollout; deployment?: Deployment }> {
  if (files.length === 0) return { objects: [] };
  const { readAll } = await import('../files/read.ts');
  const { asDeployment, asRollout, isPolicy, releases } = await import('../files/objects.ts');
  const objects = await readAll(context.io, files);
  const rollouts = objects.map(asRollout).filter((found) => found !== undefined);
  const deployments = objects.map(asDeployment).filter((found) => found !== undefined);
  if (rollouts.length > 1) throw usageError(`the files contain ${rollouts.length} Rollouts: plan one at a time`);
  const [found] = rollouts;
  if (!found) {
    if (deployments.length > 1)
      throw usageError(
        `the files contain ${deployments.length} ${deployments.every(({ kind }) => kind === 'Deployment') ? 'Deployments' : 'workloads'} and no Rollout: plan one at a time`,
      );
    const [deployment] = deployments;
    if (deployment) return { objects, deployment };
    if (!objects.some(isPolicy)) throw usageError(`no Rollout and no workload in ${files.join(', ')}`);
    return { objects };
  }
  const { rollout, violations: shape } = found.shape;
  const violations = rollout ? validateRollout({ rollout, version: found.version }).violations : shape;
  if (!rollout || violations.length > 0)
    throw new CliError(
      `the Rollout is invalid: ${violations.map(sentence).join('; ')}; for details: kubectl tranche lint`,
    );
  const deployment = deployments.find((one) => releases(rollout, one));
  return { objects, rollout, ...(deployment ? { deployment } : {}) };
}

/** Approximates the result of an apply: fields that the file does not contain stay unchanged. */
function merged(live: Deployment, next: Deployment): Deployment {
  const settings = recordOn(live)?.user;
  const { strategy } = next.spec;
  const spec = { ...live.spec, ...next.spec, strategy: strategy ?? live.spec.strategy ?? {} };
  if (next.spec.replicas === undefined && live.spec.replicas !== undefined) spec.replicas = live.spec.replicas;
  const annotations = strategy === undefined && settings ? live.metadata.annotations : next.metadata.annotations;
  return { ...live, metadata: { ...live.metadata, annotations: annotations ?? {} }, spec };
}
