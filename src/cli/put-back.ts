// Restores an earlier template of a Deployment, for undo and abort.
import { REVISION } from '../api/keys.ts';
import { CONTROLLER_REVISIONS } from '../api/resources.ts';
import type { ControllerRevision, Deployment, Held, PodTemplate, ReplicaSet, TemplateDigest } from '../api/types.ts';
import { deploymentTemplate, sameTemplate, type DigestOf } from '../engine/lib/template.ts';
import { inNamespace } from '../engine/lib/text.ts';
import { governs } from '../engine/admit/edit.ts';
import { copyName, templateOf } from '../engine/release/stable.ts';
import { readHeld } from '../engine/workload/deployment/hold.ts';
import { hashOf } from '../engine/workload/deployment/view.ts';
import { change, follow, getTarget, replaceTemplate, type Change, type Target } from './act.ts';
import type { Cluster, Write } from './cluster.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import type { DryRun } from './flags.ts';
import { gather } from './resources.ts';
import { isPausedUnseen, isUnanswered, letGo, paused } from './without-us.ts';

/** A template to restore, and its name in messages. */
export interface Version {
  readonly template: PodTemplate;
  readonly name: string;
}

/** The versions to choose from. */
export interface Versions extends Target {
  readonly deployment: Deployment;
  /** The record of the hold; undefined if the Deployment is not held or the record is not readable. */
  readonly held: Held | undefined;
  readonly cluster: Cluster;
  /** The ReplicaSets of the Deployment. */
  readonly sets: readonly ReplicaSet[];
  readonly digest: DigestOf;
}

export const versionOf = (set: ReplicaSet): Version => ({
  template: deploymentTemplate(set.spec.template),
  name: `revision ${set.metadata.annotations?.[REVISION] ?? '?'} (${hashOf(set)})`,
});

/** Restores the version that `choose` returns. A text: there is nothing to do, and why. Returns the exit code. Throws CliError. */
export async function putBack(
  context: Context,
  name: string,
  dryRun: DryRun,
  choose: (found: Versions) => Version | string | Promise<Version | string>,
): Promise<number> {
  /** The Deployment that has the version again, if it is not given back yet and no webhook has seen the change. */
  let unseen: Deployment | undefined;
  const attempt = (write: (write: Write) => Write): Promise<Target> =>
    change(context, name, dryRun, async (target) => {
      const found = await versionsOf(context, target);
      if (isBackAlready(found)) {
        unseen = found.deployment;
        return {
          says: () => `Deployment ${unseen?.metadata.name} already has the stable version, and is still held`,
        };
      }
      const chosen = await choose(found);
      if (typeof chosen === 'string') return { says: () => chosen };
      const { says, ...to } = changeTo(chosen, found);
      return {
        ...(to.write && { write: write(to.write) }),
        says: (answer) => {
          const stored = answer as unknown as Deployment | undefined;
          if (stored && isStillHeld(stored, found) && dryRun === 'none') unseen = stored;
          return says(answer);
        },
      };
    });
  try {
    await attempt((write) => write);
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    await attempt(paused);
  }
  if (unseen !== undefined && dryRun === 'none') await letGo(context, unseen);
  return EXIT.done;
}

/** An earlier call has restored the stable version while no webhook answered. */
const isBackAlready = ({ deployment, held, digest }: Versions): boolean =>
  held !== undefined && held.stable === digest(deployment.spec.template);

/** The stable template is back, but the Deployment is still held: no webhook saw the change, so none gave the Deployment back. */
const isStillHeld = (stored: Deployment, { held, digest }: Versions): boolean =>
  held !== undefined && held.stable === digest(stored.spec.template) && readHeld(stored) !== undefined;

export const lookUp = async (context: Context, name: string): Promise<Versions> =>
  versionsOf(context, await getTarget(await context.cluster(), name));

async function versionsOf(context: Context, { rollout, deployment }: Target): Promise<Versions> {
  if (!deployment)
    throw new CliError(
      `Deployment "${rollout.spec.workloadRef.name}" of Rollout "${rollout.metadata.name}" does not exist`,
    );
  const cluster = await context.cluster();
  const { digest } = await import('../kube/digest.ts');
  const { view } = await gather(cluster, rollout, context.io.now());
  const sets = view ? [...(view.newSet ? [view.newSet] : []), ...view.oldSets] : [];
  return { rollout, deployment, held: readHeld(deployment), cluster, sets, digest };
}

function changeTo({ template, name }: Version, { rollout, deployment, held, digest }: Versions): Change {
  const what = `Deployment ${deployment.metadata.name} has the template of ${name} again`;
  const { name: workload, namespace } = deployment.metadata;
  const resume = `kubectl rollout resume deployment/${workload}${inNamespace(namespace)}`;
  const toStable = held !== undefined && digest(template) === held.stable;
  const follows = toStable
    ? held.user.paused === true
      ? 'the release is cancelled; the Deployment stays paused because its spec.paused is set'
      : 'the release is cancelled and rolls back immediately, without steps'
    : rollout.spec.disabled === true || rollout.metadata.deletionTimestamp !== undefined
      ? `the Rollout is ${rollout.spec.disabled === true ? 'disabled' : 'being deleted'}, so this is a normal rolling update`
      : held !== undefined
        ? 'it replaces the current release and starts at step 1'
        : 'it goes through the steps like any other change';
  return {
    write: replaceTemplate(deployment, template),
    says: (answer) => {
      const stored = answer as unknown as Deployment | undefined;
      checkStored(stored, template, name);
      if (held === undefined && stored !== undefined && isPausedUnseen(stored))
        return `${what}: no webhook answered, so the API server holds it until one does; to roll it out now, which requires the verb approve: ${resume}`;
      if (held === undefined && stored !== undefined && readHeld(stored) === undefined && governs(rollout))
        return `${what}: it is restored immediately, without steps (rollbackWindow); ${follow(rollout)}`;
      const waits = toStable && stored !== undefined && readHeld(stored) !== undefined;
      return `${what}: ${waits ? STAYS_HELD : follows}; ${follow(rollout)}`;
    },
  };
}

/** Throws CliError if another webhook or policy changed the template in the same request: the result is a different version. */
function checkStored(stored: Deployment | undefined, template: PodTemplate, version: string): void {
  if (stored === undefined || sameTemplate(template, stored.spec.template)) return;
  const { name } = stored.metadata;
  throw new CliError(
    `Deployment ${name} does not have the template of ${version} again: another mutating webhook or policy changed it in the same ` +
      `request, so it is a new version${readHeld(stored) ? ', which goes through the steps' : ''}; ` +
      'to find the webhook or policy: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies',
  );
}

/** The message if no webhook has given the Deployment back. */
const STAYS_HELD = 'the release is cancelled; the Deployment stays held until the operator gives it back';

/** The stable version, if the Deployment does not have it already. Throws CliError. */
export async function stableOf(found: Versions): Promise<Version> {
  const stable = await findStable(found);
  if (sameTemplate(stable.template, found.deployment.spec.template))
    throw new CliError(`${found.deployment.metadata.name} already has the stable version`);
  return stable;
}

/** The stable version. Throws CliError if its template is lost. */
export async function findStable({ rollout, deployment, held, sets, digest, cluster }: Versions): Promise<Version> {
  const revision = rollout.status?.canaryStatus?.stableRevision;
  const byDigest = sets.find((set) => held !== undefined && digest(set.spec.template) === held.stable);
  const kept = held === undefined || byDigest ? undefined : await keptVersion(cluster, deployment, held.stable, digest);
  const byHash = sets.find((set) => revision !== undefined && revision !== '' && hashOf(set) === revision);
  const stable = byDigest ? versionOf(byDigest) : (kept ?? (byHash && versionOf(byHash)));
  if (stable === undefined)
    throw new CliError(
      `no ReplicaSet of ${deployment.metadata.name} has the stable version: apply its manifest instead`,
    );
  return stable;
}

/** The copy that the operator keeps during a release, for templates that no ReplicaSet has. */
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
