// `kubectl tranche undo` and `abort`: an earlier template is put back, also on a Deployment that is held.
import { HELD, REVISION } from '../../api/keys.ts';
import type { ControllerRevision, Deployment, PodTemplate, ReplicaSet } from '../../api/types.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import { deploymentTemplate, sameTemplate } from '../../engine/lib/template.ts';
import { copyName, templateOf } from '../../engine/release/stable.ts';
import { hashOf } from '../../engine/workload/deployment/view.ts';
import { findObject } from '../../kube/get.ts';
import { CONTROLLER_REVISIONS } from '../../api/resources.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import { digest } from '../../kube/digest.ts';
import type { Run } from '../cli.ts';
import { change, inRelease, replaceTemplate, type Change, type Target } from '../act.ts';
import { parseDryRun, type Cluster, type Context, type DryRun } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { gather } from '../resources.ts';
import { stateOf } from '../state.ts';
import { follow } from '../act.ts';

export function undo(flags: { toRevision?: string; dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  const revision = flags.toRevision === undefined ? undefined : parseRevision(flags.toRevision);
  return (context) =>
    putBack(context, name, dryRun, (target, sets, deployment, cluster) => {
      const releasing = readHeld(deployment) !== undefined || target.rollout.status?.phase === 'Progressing';
      if (revision !== undefined) return versionOf(byRevision(sets, revision, deployment));
      return releasing ? stableOf(target, sets, deployment, cluster) : versionOf(previous(sets, deployment));
    });
}

export function abort(flags: { dryRun?: string }, name: string): Run {
  const dryRun = parseDryRun(flags.dryRun);
  return (context) =>
    putBack(context, name, dryRun, (target, sets, deployment, cluster) => {
      if (readHeld(deployment) === undefined) inRelease(target, 'abort');
      if (stateOf(target.rollout, deployment) === 'RollingBack')
        throw new CliError(
          `${target.rollout.metadata.name} is rolling back already: ${target.rollout.status?.message}`,
        );
      return stableOf(target, sets, deployment, cluster);
    });
}

/** A template to put back, and what to call it. */
interface Version {
  readonly template: PodTemplate;
  readonly name: string;
}

const versionOf = (set: ReplicaSet): Version => ({
  template: deploymentTemplate(set.spec.template),
  name: `revision ${set.metadata.annotations?.[REVISION] ?? '?'} (${hashOf(set)})`,
});

type Choose = (
  target: Target,
  sets: readonly ReplicaSet[],
  deployment: Deployment,
  cluster: Cluster,
) => Version | Promise<Version>;

async function putBack(context: Context, name: string, dryRun: DryRun, choose: Choose): Promise<number> {
  const cluster = await context.cluster();
  await change(context, name, dryRun, (target) => decide(context, cluster, target, choose));
  return EXIT.done;
}

async function decide(context: Context, cluster: Cluster, target: Target, choose: Choose): Promise<Change> {
  const { rollout, deployment } = target;
  if (!deployment)
    throw new CliError(
      `Deployment "${rollout.spec.workloadRef.name}" of Rollout "${rollout.metadata.name}" does not exist`,
    );
  const { view } = await gather(cluster, rollout, context.io.now());
  const sets = view ? [...(view.newSet ? [view.newSet] : []), ...view.oldSets] : [];
  const { template, name } = await choose(target, sets, deployment, cluster);
  const held = readHeld(deployment);
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
    call: replaceTemplate(deployment, template),
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
const staysHeld = (deployment: Deployment): string => {
  const { name } = deployment.metadata;
  const where = namespaceFlag(deployment);
  const patch = `kubectl get deployment ${name}${where} -o jsonpath='{.metadata.annotations.tranche\\.dev/give-back}'`;
  return (
    'the release is cancelled, and the Deployment stays held until the operator sets it free; when none runs: ' +
    `kubectl patch deployment ${name}${where} --type=merge -p "$(${patch})"`
  );
};

async function stableOf(
  { rollout }: Target,
  sets: readonly ReplicaSet[],
  deployment: Deployment,
  cluster: Cluster,
): Promise<Version> {
  const held = readHeld(deployment);
  const revision = rollout.status?.canaryStatus?.stableRevision;
  const byDigest = sets.find((set) => held !== undefined && digest(set.spec.template) === held.stable);
  const kept = held === undefined || byDigest ? undefined : await keptVersion(cluster, deployment, held.stable);
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
async function keptVersion({ api }: Cluster, deployment: Deployment, stable: string): Promise<Version | undefined> {
  const name = copyName(deployment, stable);
  const asked = { namespace: deployment.metadata.namespace, name };
  const copy = await findObject<ControllerRevision>(api, CONTROLLER_REVISIONS, asked);
  const template = templateOf(copy, stable, digest);
  return template && { template, name: `ControllerRevision ${name}` };
}

const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[REVISION] ?? 0);

function previous(sets: readonly ReplicaSet[], deployment: Deployment): ReplicaSet {
  if (deployment.metadata.annotations?.[HELD] !== undefined)
    throw new CliError(`what holds ${deployment.metadata.name} cannot be read: see kubectl tranche doctor`);
  const others = sets.filter((set) => !sameTemplate(set.spec.template, deployment.spec.template));
  const [last] = others.sort((a, b) => revisionOf(b) - revisionOf(a));
  if (last === undefined)
    throw new CliError(`${deployment.metadata.name} has no earlier revision: its ReplicaSets remember none`);
  return last;
}

function byRevision(sets: readonly ReplicaSet[], revision: number, deployment: Deployment): ReplicaSet {
  const found = sets.find((set) => revisionOf(set) === revision);
  const name = deployment.metadata.name;
  if (found === undefined) {
    const known = sets.map(revisionOf).filter((one) => one > 0);
    throw new CliError(
      `${name} has no revision ${revision}; there are: ${known.sort((a, b) => a - b).join(', ') || 'none'}`,
    );
  }
  if (sameTemplate(found.spec.template, deployment.spec.template))
    throw new CliError(`${name} is at revision ${revision} already`);
  return found;
}

function parseRevision(text: string): number {
  if (!/^[1-9]\d*$/.test(text))
    throw usageError(`--to-revision "${text}" is not a revision: write a number from history`);
  return Number(text);
}
