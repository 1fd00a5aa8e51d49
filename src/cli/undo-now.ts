// `kubectl tranche undo --now`: restores a completed version at once, without steps, as an approval.
import type { CompletedVersion, Deployment, Rollout, TemplateDigest } from '../api/types.ts';
import { namespaceFlag } from '../engine/lib/text.ts';
import { earlierVersions, isEarlier } from '../engine/release/completed.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import { recordOn } from '../engine/workload/record.ts';
import { isPausedUnseen, others, versionOf, type Version } from '../view/act/put-back.ts';
import { follow } from '../view/act/target.ts';
import { patchStatus, replaceTemplate } from '../view/act/write.ts';
import { ATTEMPTS } from './act.ts';
import type { Cluster } from './cluster.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { dryRunNote, type DryRun } from './flags.ts';
import { oneLine } from './paint.ts';
import { isUnanswered, letGo, paused } from './without-us.ts';
import { lookUp, type Versions } from './put-back.ts';

/** The replicas see the approval in their caches within a moment. */
const ASK_EVERY_MS = 300;
const ASK_FOR_MS = 6_000;
const COMPLETED =
  'a version is completed if it went through all steps, or if all its Pods were available before the first release';

/** Returns the exit code. Undefined during the release of a new version, which undo ends at once in any case. Throws CliError. `choose`: the version that the user named; undefined for the last completed one. */
export async function undoNow(...asked: Parameters<typeof undoOnce>): Promise<number | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await undoOnce(...asked);
    } catch (error) {
      // The workload's controller has written the status meanwhile.
      const cluster = await asked[0].cluster();
      if (cluster.answerOf(error) !== 'Conflict' || attempt >= ATTEMPTS) throw error;
    }
  }
}

async function undoOnce(
  context: Context,
  name: string,
  dryRun: DryRun,
  choose: ((found: Versions) => Version) | undefined,
): Promise<number | undefined> {
  const cluster = await context.cluster();
  const found = await lookUp(context, name);
  const { rollout, deployment, digest } = found;
  if (choose === undefined && isNewVersion(found)) return undefined;
  const version = choose?.(found) ?? lastCompleted(found);
  const template = digest(version.template);
  refuseUnfit(found, version, template);
  const what = `${found.kind.resource.kind} ${deployment.metadata.name} has the template of ${version.name} again`;
  const say = (text: string): void => context.io.out(`${oneLine(text)}${dryRunNote(dryRun)}\n`);
  // In the window no approval is needed.
  const write = replaceTemplate(found.kind.resource, deployment, version.template);
  const already = digest(deployment.spec.template) === template;
  if (!already && dryRun !== 'client' && !(await holds(cluster, found, version))) {
    await cluster.send(write, dryRun);
    say(`${what}: it is restored immediately, without steps; ${follow(rollout)}`);
    return EXIT.done;
  }
  let answer: Rollout | undefined;
  try {
    answer = (await cluster.send(patchStatus(rollout, { undoTo: template }), dryRun)) as Rollout | undefined;
  } catch (error) {
    // Without the webhook nobody can approve. Un-pausing requires the same verb.
    if (!isUnanswered(error) || already || dryRun !== 'none' || found.kind !== deploymentKind) throw error;
    const stored = (await cluster.send(paused(write), dryRun)) as Deployment;
    say(`${what}; no webhook answered`);
    await letGo(context, stored);
    return EXIT.done;
  }
  const { furtherUndoApprovals } = await import('./policies.ts');
  const further = await furtherUndoApprovals(cluster, answer ?? rollout, deployment, template, context.io.now());
  if (answer !== undefined && further !== undefined)
    throw new CliError(
      `your approval to restore ${version.name} of ${rollout.metadata.name} is recorded, but this requires more approvals: ${further}; ` +
        `another approver can continue with the same command`,
      EXIT.refused,
    );
  if (!already && dryRun === 'none') {
    await untilAdmitted(context, cluster, found, version);
    const again = await lookUp(context, name);
    if (again.deployment.metadata.uid !== deployment.metadata.uid)
      throw new CliError(
        `another ${found.kind.resource.kind} has the name ${deployment.metadata.name} now, and was not changed; to look at it: kubectl tranche status ${name}${namespaceFlag(rollout)}`,
      );
    await cluster.send(replaceTemplate(found.kind.resource, again.deployment, version.template), dryRun);
  }
  say(
    already
      ? `the way back to ${version.name} needs no more steps: it is restored immediately; ${follow(rollout)}`
      : `${what}: it is restored immediately, without steps, with your approval; ${follow(rollout)}`,
  );
  return EXIT.done;
}

/** A release is in progress, and its version was never completed. */
const isNewVersion = ({ rollout, deployment, held, digest }: Versions): boolean =>
  (held !== undefined || rollout.status?.phase === 'Progressing') &&
  !isEarlier(rollout, digest(deployment.spec.template));

/** The latest completed version that a ReplicaSet has. In a release that goes back to a completed version, that version. */
function lastCompleted({ rollout, kind, deployment, sets, digest }: Versions): Version {
  const known = earlierVersions(rollout);
  const current = digest(deployment.spec.template);
  const bySet = ({ templateDigest }: CompletedVersion) => sets.find((set) => digest(set.template) === templateDigest);
  const wanted = known.find(({ templateDigest }) => templateDigest === current) ?? known.find((one) => bySet(one));
  const set = wanted && bySet(wanted);
  if (set !== undefined) return versionOf(set);
  const { name } = rollout.metadata;
  const inSteps =
    others(sets, deployment).length > 0
      ? `in steps: kubectl tranche undo ${name}${namespaceFlag(rollout)}`
      : `no ${kind.words.keeper} has an earlier revision either: to go back in steps, apply the manifest of that version`;
  throw new CliError(
    known.length === 0
      ? `${name} has completed no earlier version; ${COMPLETED}; ${inSteps}`
      : `no ${kind.words.keeper} of ${deployment.metadata.name} has a version that ${rollout.metadata.name} completed: apply its manifest instead`,
  );
}

function refuseUnfit(found: Versions, version: Version, template: TemplateDigest): void {
  const { rollout, deployment, sets, digest } = found;
  const { name } = rollout.metadata;
  const isCurrent = digest(deployment.spec.template) === template;
  if (rollout.status?.canaryStatus?.stableDigest === template && isCurrent)
    throw new CliError(`nothing to restore: ${deployment.metadata.name} has the template of ${version.name}`);
  if (rollout.status?.canaryStatus?.stableDigest === template)
    throw new CliError(
      `${version.name} is the stable version of ${name}: kubectl tranche undo restores it immediately, without --now`,
    );
  if (isEarlier(rollout, template)) return;
  const revision = sets.find((set) => digest(set.template) === template)?.number;
  const chosen = revision === undefined ? '' : ` --to-revision ${revision}`;
  const inSteps = isCurrent ? '' : `; in steps: kubectl tranche undo ${name}${chosen}${namespaceFlag(rollout)}`;
  throw new CliError(
    `cannot restore ${version.name} without steps: ${name} has not completed it, or not among its last ten versions; ${COMPLETED}${inSteps}`,
  );
}

/** Asks admission in a dry run whether the template would be held. */
async function holds(cluster: Cluster, { kind, deployment }: Versions, { template }: Version): Promise<boolean> {
  try {
    const write = { ...replaceTemplate(kind.resource, deployment, template), quiet: true };
    const stored = (await cluster.send(write, 'server')) as Deployment;
    return recordOn(stored) !== undefined || isPausedUnseen(stored);
  } catch (error) {
    if (isUnanswered(error)) return true;
    throw error;
  }
}

async function untilAdmitted(context: Context, cluster: Cluster, found: Versions, version: Version): Promise<void> {
  const { realClock, sleep } = await import('../kube/clock.ts');
  const deadline = context.io.now() + ASK_FOR_MS;
  const { rollout } = found;
  for (;;) {
    const now = await lookUp(context, rollout.metadata.name);
    if (!(await holds(cluster, now, version))) return;
    if (context.io.now() > deadline)
      throw new CliError(
        `your approval to restore ${version.name} of ${rollout.metadata.name} is recorded, but the webhooks still hold this version; ` +
          'if more people must approve, another approver can continue with the same command; otherwise: kubectl tranche doctor',
      );
    if (!(await sleep(realClock, ASK_EVERY_MS, context.io.signal))) throw new CliError('interrupted', EXIT.interrupted);
  }
}
