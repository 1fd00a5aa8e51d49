// `kubectl tranche takeover`: takes over Deployments that OpenKruise Rollouts left in the middle of a release.
import { KRUISE_CANARY } from '../../api/keys.ts';
import { DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, SERVICES } from '../../api/resources.ts';
import type { Deployment, ReplicaSet, Rollout } from '../../api/types.ts';
import { plural } from '../../engine/lib/text.ts';
import { ownerOf } from '../../engine/release/governing-rollout.ts';
import type { Ending, Service, TakeoverFacts, TakeoverPlan } from '../../engine/release/takeover.ts';
import { keyOf } from '../../view/rows.ts';
import { nameOf } from '../act.ts';
import type { Cluster, Write } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError, type ExitCode } from '../exit.ts';
import {
  ALL_NAMESPACES,
  deploymentName,
  DRY_RUN,
  dryRunNote,
  parseDryRun,
  parseDuration,
  type DryRun,
} from '../flags.ts';
import { getDeployment } from '../resources.ts';
import { listBatchReleases, removeBatchRelease, workloadOf } from '../takeover/batch-releases.ts';
import { findRunning } from '../takeover/running.ts';

interface TakeoverFlags {
  readonly allNamespaces?: boolean;
  readonly finish?: boolean;
  readonly rollback?: boolean;
  readonly timeout: string;
  readonly dryRun?: string;
}

export const takeover = defineCommand({
  description:
    'Takes over Deployments that OpenKruise Rollouts left in the middle of a release. They are paused, usually with strategy Recreate, so resuming them deletes all ' +
    'Pods at the same time. For each Deployment, Tranche replaces the settings of OpenKruise, and the Rollout continues at the current step. This starts and stops no ' +
    'Pods. Leftover BatchRelease objects of OpenKruise are deleted. Use --finish or --rollback for Deployments that no Rollout names, or whose release Tranche cannot ' +
    'continue. OpenKruise must not be running. Tranche need not be running.',
  arguments: [['[deployment...]', 'Names of Deployments; default: all leftover Deployments of the namespace']],
  options: [
    ALL_NAMESPACES,
    [
      '--finish',
      'If no Rollout continues the release: update all Pods to the current template, in a normal rolling update',
    ],
    ['--rollback', 'If no Rollout continues the release: go back to the previous version, in a normal rolling update'],
    [
      '--timeout <time>',
      'Time to wait until the Deployment controller has processed the last change',
      { default: '1m' },
    ],
    DRY_RUN,
  ],
  examples: [
    'kubectl tranche takeover -A --dry-run=server',
    'kubectl tranche takeover web',
    'kubectl tranche takeover web --finish',
  ],
  run: takeOver,
});

const LOOK_EVERY_MS = 500;

interface Job {
  readonly context: Context;
  readonly cluster: Cluster;
  readonly dryRun: DryRun;
  readonly ending: Ending | undefined;
  readonly timeoutMs: number;
}

async function takeOver(context: Context, flags: TakeoverFlags, names: readonly string[]): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const timeoutMs = parseDuration(flags.timeout, '--timeout');
  if (flags.finish && flags.rollback) throw usageError('--finish and --rollback are mutually exclusive');
  if (flags.allNamespaces && names.length > 0)
    throw usageError('names of Deployments and --all-namespaces are mutually exclusive');
  const ending: Ending | undefined = flags.finish ? 'Finish' : flags.rollback ? 'Rollback' : undefined;
  const cluster = await context.cluster();
  const running = await findRunning(cluster, context.io.now());
  if (running.why !== undefined) throw new CliError(`${running.why}; run: ${running.remedy}`);
  if (running.unknown.length > 0)
    context.io.err(
      `Warning: you may not read ${running.unknown.join(' and ')}: make sure that OpenKruise Rollouts is not running\n`,
    );
  const job = { context, cluster, dryRun, ending, timeoutMs };
  const scope = flags.allNamespaces ? undefined : cluster.namespace;
  const found =
    names.length > 0
      ? await Promise.all(names.map((name) => getDeployment(cluster, deploymentName(name))))
      : await findLeftovers(cluster, scope);
  const refused = new Set<string>();
  let worst: ExitCode = EXIT.done;
  for (const deployment of found) {
    const code = await takeOne(job, deployment);
    if (code === EXIT.done) continue;
    refused.add(keyOf(deployment));
    worst = worst === EXIT.done || code === EXIT.failed ? code : worst;
  }
  const removed = await removeBatchReleases(job, scope, refused, names.length > 0 ? found : undefined);
  if (found.length === 0 && removed === 0)
    context.io.out(
      `no leftovers of OpenKruise Rollouts on Deployments in ${scope === undefined ? 'any namespace' : `namespace ${scope}`}\n`,
    );
  return worst;
}

async function findLeftovers(cluster: Cluster, namespace: string | undefined): Promise<Deployment[]> {
  const deployments = await cluster.list<Deployment>(DEPLOYMENTS, { namespace });
  const rollouts = await rolloutsIn(cluster, namespace);
  const { leftoverOf } = await import('../../engine/release/openkruise.ts');
  return deployments.filter((one) => leftoverOf(one, ownerOf(naming(rollouts, one))) !== undefined);
}

/** Empty if the cluster does not serve the kind. */
async function rolloutsIn(cluster: Cluster, namespace: string | undefined): Promise<Rollout[]> {
  try {
    return await cluster.list<Rollout>(ROLLOUTS, { namespace });
  } catch (error) {
    if (cluster.answerOf(error) === 'NotFound') return [];
    throw error;
  }
}

const naming = (rollouts: readonly Rollout[], { metadata }: Deployment): Rollout[] =>
  rollouts.filter(
    ({ metadata: { namespace }, spec: { workloadRef } }) =>
      namespace === metadata.namespace && workloadRef.kind === 'Deployment' && workloadRef.name === metadata.name,
  );

async function gather(cluster: Cluster, { metadata }: Deployment, now: number): Promise<TakeoverFacts> {
  const namespace = metadata.namespace ?? cluster.namespace;
  const deployment = await getDeployment(cluster, metadata.name, namespace);
  const { selector } = deployment.spec;
  const [rollouts, replicaSets, services, extras, { digest }] = await Promise.all([
    rolloutsIn(cluster, namespace),
    cluster.list<ReplicaSet>(REPLICA_SETS, { namespace, selector }),
    cluster.list<Service>(SERVICES, { namespace }),
    cluster.list<Deployment>(DEPLOYMENTS, { namespace, selector: { matchLabels: { [KRUISE_CANARY]: metadata.name } } }),
    import('../../kube/digest.ts'),
  ]);
  return { now, deployment, rollouts: naming(rollouts, deployment), replicaSets, services, extras, digest };
}

/** Repeats until nothing is left to do: reads the facts, plans one write, sends it. */
async function takeOne(job: Job, target: Deployment): Promise<ExitCode> {
  const { context, cluster, dryRun, ending, timeoutMs } = job;
  const { io } = context;
  const { planTakeover } = await import('../../engine/release/takeover.ts');
  const { realClock, sleep } = await import('../../kube/clock.ts');
  const name = `Deployment ${keyOf(target)}`;
  const deadline = io.now() + timeoutMs;
  let waitsFor = 'a moment without other writes to it';
  let told = false;
  for (;;) {
    const facts = await gather(cluster, target, io.now());
    const plan = planTakeover(facts, ending);
    if (plan.kind === 'Refuse') {
      io.err(`error: ${name}: ${plan.reason}; instead: ${plan.remedy}\n`);
      return EXIT.failed;
    }
    if (plan.kind === 'Nothing') {
      if (!told) io.out(`${name}: ${plan.says}\n`);
      return EXIT.done;
    }
    if (plan.kind === 'Wait') waitsFor = plan.waitsFor;
    else {
      if (plan.kind === 'PatchDeployment' && plan.guessed)
        io.err(
          `Warning: ${name}: OpenKruise did not record maxSurge and maxUnavailable: both are set to Kubernetes' default, 25%; correct them afterwards\n`,
        );
      if (await write(cluster, facts.deployment, plan, dryRun)) {
        io.out(`${name}: ${plan.says}${dryRunNote(dryRun)}\n`);
        told = true;
        // In a dry run the facts stay the same, so the next plan would, too.
        if (dryRun !== 'none' || plan.kind === 'PatchDeployment') return EXIT.done;
        continue;
      }
    }
    if (io.now() > deadline) {
      io.err(`error: ${name}: timed out waiting for ${waitsFor}\n`);
      return EXIT.timedOut;
    }
    if (!(await sleep(realClock, LOOK_EVERY_MS, io.signal))) return EXIT.failed;
  }
}

type WritingPlan = Extract<TakeoverPlan, { kind: 'PatchDeployment' | 'PatchReplicaSet' }>;

/** Returns false on a conflict. */
async function write(cluster: Cluster, deployment: Deployment, plan: WritingPlan, dryRun: DryRun): Promise<boolean> {
  try {
    await cluster.send(writeOf(deployment, plan), dryRun);
    return true;
  } catch (error) {
    if (cluster.answerOf(error) !== 'Conflict') throw error;
    return false;
  }
}

const writeOf = (deployment: Deployment, plan: WritingPlan): Write =>
  plan.kind === 'PatchDeployment'
    ? {
        method: 'PATCH',
        resource: DEPLOYMENTS,
        ...nameOf(deployment),
        contentType: 'application/json-patch+json',
        body: plan.ops,
      }
    : {
        method: 'PATCH',
        resource: REPLICA_SETS,
        ...nameOf(plan.set),
        contentType: 'application/merge-patch+json',
        body: { metadata: { resourceVersion: plan.set.metadata.resourceVersion }, spec: plan.spec },
      };

/** Removes the BatchReleases of all Deployments that are not `refused`; with `only`, of these Deployments alone. Returns their number. */
async function removeBatchReleases(
  { context, cluster, dryRun }: Job,
  scope: string | undefined,
  refused: ReadonlySet<string>,
  only: readonly Deployment[] | undefined,
): Promise<number> {
  const wanted = only && new Set(only.map(keyOf));
  const all = await listBatchReleases(cluster, scope);
  const theirs = all.filter((one) => !refused.has(workloadOf(one)) && (wanted?.has(workloadOf(one)) ?? true));
  for (const one of theirs) await removeBatchRelease(cluster, one, dryRun);
  if (theirs.length > 0)
    context.io.out(
      `${plural(theirs.length, 'BatchRelease')} of OpenKruise Rollouts removed: ${theirs.map(keyOf).join(', ')}${dryRunNote(dryRun)}\n`,
    );
  return theirs.length;
}
