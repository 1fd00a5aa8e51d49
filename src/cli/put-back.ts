// An earlier template of a Deployment is put back: what undo and abort have in common.
import { REVISION } from '../api/keys.ts';
import { CONTROLLER_REVISIONS } from '../api/resources.ts';
import type { ControllerRevision, Deployment, Held, PodTemplate, ReplicaSet, TemplateDigest } from '../api/types.ts';
import { deploymentTemplate, sameTemplate, type DigestOf } from '../engine/lib/template.ts';
import { inNamespace } from '../engine/lib/text.ts';
import { copyName, templateOf } from '../engine/release/stable.ts';
import { readHeld } from '../engine/workload/deployment/hold.ts';
import { hashOf } from '../engine/workload/deployment/view.ts';
import { change, follow, replaceTemplate, type Change, type Target } from './act.ts';
import type { Cluster } from './cluster.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import type { DryRun } from './flags.ts';
import { gather } from './resources.ts';

/** A template to put back, and what to call it. */
export interface Version {
  readonly template: PodTemplate;
  readonly name: string;
}

/** What a version is chosen from. */
export interface Versions extends Target {
  readonly deployment: Deployment;
  /** The record of its hold; undefined when it is not held, or the record cannot be read. */
  readonly held: Held | undefined;
  readonly cluster: Cluster;
  /** Of the Deployment. */
  readonly sets: readonly ReplicaSet[];
  readonly digest: DigestOf;
}

export const versionOf = (set: ReplicaSet): Version => ({
  template: deploymentTemplate(set.spec.template),
  name: `revision ${set.metadata.annotations?.[REVISION] ?? '?'} (${hashOf(set)})`,
});

/** The exit code. Throws CliError, also when `choose` does. */
export async function putBack(
  context: Context,
  name: string,
  dryRun: DryRun,
  choose: (found: Versions) => Version | Promise<Version>,
): Promise<number> {
  const cluster = await context.cluster();
  const { digest } = await import('../kube/digest.ts');
  await change(context, name, dryRun, async ({ rollout, deployment }) => {
    if (!deployment)
      throw new CliError(
        `Deployment "${rollout.spec.workloadRef.name}" of Rollout "${rollout.metadata.name}" does not exist`,
      );
    const { view } = await gather(cluster, rollout, context.io.now());
    const sets = view ? [...(view.newSet ? [view.newSet] : []), ...view.oldSets] : [];
    const found = { rollout, deployment, held: readHeld(deployment), cluster, sets, digest };
    return changeTo(await choose(found), found);
  });
  return EXIT.done;
}

function changeTo({ template, name }: Version, { rollout, deployment, held, digest }: Versions): Change {
  const what = `Deployment ${deployment.metadata.name} has the template of ${name} again`;
  const toStable = held !== undefined && digest(template) === held.stable;
  const follows = toStable
    ? held.user.paused === true
      ? 'the release is cancelled, but the Deployment stays paused, as it was set'
      : 'the release is cancelled, and it rolls back natively, at once and not in steps'
    : rollout.spec.disabled === true || rollout.metadata.deletionTimestamp !== undefined
      ? `the Rollout is ${rollout.spec.disabled === true ? 'disabled' : 'being deleted'}: a normal rolling update`
      : held !== undefined
        ? 'it is released from step 1, instead of the version before'
        : 'it is released in steps, as any change';
  return {
    write: replaceTemplate(deployment, template),
    says: (answer) => {
      const stored = answer as unknown as Deployment | undefined;
      checkStored(stored, template, name);
      const waits = toStable && stored !== undefined && readHeld(stored) !== undefined;
      return `${what}: ${waits ? staysHeld(stored) : follows}; ${follow(rollout)}`;
    },
  };
}

/** What was written is not always what is stored: others may change a template in the same request, and then it is another version. */
function checkStored(stored: Deployment | undefined, template: PodTemplate, version: string): void {
  if (stored === undefined || sameTemplate(template, stored.spec.template)) return;
  const { name } = stored.metadata;
  throw new CliError(
    `Deployment ${name} does not have the template of ${version} again: a mutating webhook or policy of others changed it in the same ` +
      `request, so this is a new version of its own${readHeld(stored) ? ', which is held and released in steps' : ''}; ` +
      'look for it with: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies',
  );
}

/** No webhook has set it free, or not yet. */
const staysHeld = ({ metadata: { name, namespace } }: Deployment): string => {
  const where = inNamespace(namespace);
  const patch = `kubectl get deployment ${name}${where} -o jsonpath='{.metadata.annotations.tranche\\.dev/give-back}'`;
  return (
    'the release is cancelled, and the Deployment stays held until the operator sets it free; when none runs: ' +
    `kubectl patch deployment ${name}${where} --type=merge -p "$(${patch})"`
  );
};

/** The version before the release. Throws CliError when nothing has it any more, and when the Deployment has it already. */
export async function stableOf({ rollout, deployment, held, sets, digest, cluster }: Versions): Promise<Version> {
  const revision = rollout.status?.canaryStatus?.stableRevision;
  const byDigest = sets.find((set) => held !== undefined && digest(set.spec.template) === held.stable);
  const kept = held === undefined || byDigest ? undefined : await keptVersion(cluster, deployment, held.stable, digest);
  const byHash = sets.find((set) => revision !== undefined && revision !== '' && hashOf(set) === revision);
  const stable = byDigest ? versionOf(byDigest) : (kept ?? (byHash && versionOf(byHash)));
  if (stable === undefined)
    throw new CliError(
      `the version before the release is not among the ReplicaSets of ${deployment.metadata.name} any more: apply its manifest instead`,
    );
  if (sameTemplate(stable.template, deployment.spec.template))
    throw new CliError(`${deployment.metadata.name} has the version before the release already`);
  return stable;
}

/** The copy that the operator keeps during a release, where no ReplicaSet has the template any more. */
async function keptVersion(
  cluster: Cluster,
  deployment: Deployment,
  stable: TemplateDigest,
  digest: Versions['digest'],
): Promise<Version | undefined> {
  const name = copyName(deployment, stable);
  const asked = { namespace: deployment.metadata.namespace, name };
  const copy = await cluster.find<ControllerRevision>(CONTROLLER_REVISIONS, asked);
  const template = templateOf(copy, stable, digest);
  return template && { template, name: `ControllerRevision ${name}` };
}
