// `kubectl tranche takeover`: Deployments that OpenKruise Rollouts has left in the middle of a release become held by us, or go back to their users.
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
    'Takes over Deployments that OpenKruise Rollouts has left in the middle of a release: paused, mostly with strategy Recreate, under which un-pausing ends all Pods at once. ' +
    'In one write each becomes held as by Tranche, and its Rollout goes on with the step it was in; no Pod is started or ended by that. Deployments that no Rollout names, or ' +
    'whose release Tranche cannot go on with, need --finish or --rollback. OpenKruise must not run any more. What it left of BatchReleases is removed. ' +
    'It needs nothing of ours to be running.',
  arguments: [['[deployment...]', 'their names; all of the namespace that were left behind when left out']],
  options: [
    ALL_NAMESPACES,
    ['--finish', 'where no Rollout goes on with it: a normal rolling update to the template it has'],
    ['--rollback', 'where no Rollout goes on with it: a normal rolling update to the version before'],
    ['--timeout <time>', 'how long to wait for the Deployment controller to be at rest', { default: '1m' }],
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
  if (flags.finish && flags.rollback) throw usageError('--finish and --rollback exclude each other: write one');
  if (flags.allNamespaces && names.length > 0)
    throw usageError('Deployments by name are in one namespace: leave the names or --all-namespaces out');
  const ending: Ending | undefined = flags.finish ? 'Finish' : flags.rollback ? 'Rollback' : undefined;
  const cluster = await context.cluster();
  const running = await findRunning(cluster, context.io.now());
  if (running.why !== undefined) throw new CliError(`${running.why}; first: ${running.remedy}`);
  if (running.unknown.length > 0)
    context.io.err(
      `Warning: you may not read ${running.unknown.join(' and ')}: make sure that OpenKruise Rollouts does not run any more\n`,
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
      `nothing of OpenKruise Rollouts is left on a Deployment in ${scope === undefined ? 'any namespace' : `namespace ${scope}`}\n`,
    );
  return worst;
}

async function findLeftovers(cluster: Cluster, namespace: string | undefined): Promise<Deployment[]> {
  const deployments = await cluster.list<Deployment>(DEPLOYMENTS, { namespace });
  const rollouts = await rolloutsIn(cluster, namespace);
  const { leftoverOf } = await import('../../engine/release/openkruise.ts');
  return deployments.filter((one) => leftoverOf(one, ownerOf(naming(rollouts, one))) !== undefined);
}

/** None where the kind is gone. */
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

/** Write after write until nothing is left to do: each is decided on what is there then. */
async function takeOne(job: Job, target: Deployment): Promise<ExitCode> {
  const { context, cluster, dryRun, ending, timeoutMs } = job;
  const { io } = context;
  const { planTakeover } = await import('../../engine/release/takeover.ts');
  const { realClock, sleep } = await import('../../kube/clock.ts');
  const name = `Deployment ${keyOf(target)}`;
  const deadline = io.now() + timeoutMs;
  let waitsFor = 'a moment in which nobody else writes to it';
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
          `Warning: ${name}: OpenKruise has not kept its maxSurge and maxUnavailable: they become 25%, Kubernetes' default; write your own afterwards\n`,
        );
      if (await write(cluster, facts.deployment, plan, dryRun)) {
        io.out(`${name}: ${plan.says}${dryRunNote(dryRun)}\n`);
        told = true;
        // A dry run changes nothing that could be looked at again.
        if (dryRun !== 'none' || plan.kind === 'PatchDeployment') return EXIT.done;
        continue;
      }
    }
    if (io.now() > deadline) {
      io.err(`error: ${name}: not taken over within the time-out: it waits for ${waitsFor}\n`);
      return EXIT.timedOut;
    }
    if (!(await sleep(realClock, LOOK_EVERY_MS, io.signal))) return EXIT.failed;
  }
}

type WritingPlan = Extract<TakeoverPlan, { kind: 'PatchDeployment' | 'PatchReplicaSet' }>;

/** False when somebody else has written meanwhile: then all is decided again. */
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

/** Those of Deployments that are taken over, or that nothing is left of; with `only`, of these Deployments alone. */
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
