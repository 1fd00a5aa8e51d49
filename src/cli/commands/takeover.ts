// `kubectl tranche takeover`: takes over workloads that OpenKruise Rollouts left in the middle of a release.
import { REPLICA_SETS, type Resource } from '../../api/resources.ts';
import type { Deployment, IntOrString } from '../../api/types.ts';
import { plural } from '../../engine/lib/text.ts';
import type { TakeoverPlan } from '../../engine/release/takeover-plan.ts';
import { nameOf } from '../../view/act/write.ts';
import { keyOf, keyOfWorkload } from '../../view/rows.ts';
import type { Cluster, Write } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError, type ExitCode } from '../exit.ts';
import { ALL_NAMESPACES, DRY_RUN, dryRunNote, parseDryRun, parseDuration, type DryRun } from '../flags.ts';
import { listBatchReleases, removeBatchRelease, workloadOf } from '../takeover/batch-releases.ts';
import { findLeftovers, planNext, type Wish } from '../takeover/facts.ts';
import { findRunning } from '../takeover/running.ts';
import { asKind, findNamed, type Named } from '../workloads.ts';

interface TakeoverFlags {
  readonly allNamespaces?: boolean;
  readonly finish?: boolean;
  readonly rollback?: boolean;
  readonly partition?: string;
  readonly timeout: string;
  readonly dryRun?: string;
}

export const takeover = defineCommand({
  description:
    'Takes over workloads that OpenKruise Rollouts left in the middle of a release. Deployments are paused, usually with strategy Recreate, so resuming them deletes ' +
    'all Pods at the same time. StatefulSets have a partition of OpenKruise. For each workload, Tranche replaces the settings of OpenKruise, and the Rollout continues ' +
    'at the current step. This starts and stops no Pods. Leftover BatchRelease objects of OpenKruise are deleted. Use --finish or --rollback for workloads that no ' +
    'Rollout names, or whose release Tranche cannot continue. OpenKruise must not be running. Tranche need not be running.',
  arguments: [
    [
      '[workload...]',
      'Names of Deployments, or KIND/NAME, such as statefulset/db; default: all leftover workloads of the namespace',
    ],
  ],
  options: [
    ALL_NAMESPACES,
    [
      '--finish',
      'If no Rollout continues the release: update all Pods to the current template, in a normal rolling update',
    ],
    ['--rollback', 'If no Rollout continues the release: go back to the stable version, in a normal rolling update'],
    [
      '--partition <partition>',
      'The partition that the StatefulSet had before the release, which OpenKruise does not keep; it is restored when the release ends. Default: none',
    ],
    [
      '--timeout <time>',
      'Time to wait until the controller of the workload has processed the last change',
      { default: '1m' },
    ],
    DRY_RUN,
  ],
  examples: [
    'kubectl tranche takeover -A --dry-run=server',
    'kubectl tranche takeover web',
    'kubectl tranche takeover web --finish',
    'kubectl tranche takeover statefulset/db --partition 2',
  ],
  run: takeOver,
});

const LOOK_EVERY_MS = 500;

interface Job {
  readonly context: Context;
  readonly cluster: Cluster;
  readonly dryRun: DryRun;
  readonly wish: Wish;
  readonly timeoutMs: number;
}

async function takeOver(context: Context, flags: TakeoverFlags, names: readonly string[]): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const timeoutMs = parseDuration(flags.timeout, '--timeout');
  if (flags.allNamespaces && names.length > 0)
    throw usageError('names of workloads and --all-namespaces are mutually exclusive');
  const wish = wishOf(flags, names);
  const cluster = await context.cluster();
  const running = await findRunning(cluster, context.io.now());
  if (running.why !== undefined) throw new CliError(`${running.why}; run: ${running.remedy}`);
  if (running.unknown.length > 0)
    context.io.err(
      `Warning: you may not read ${running.unknown.join(' and ')}: make sure that OpenKruise Rollouts is not running\n`,
    );
  const job = { context, cluster, dryRun, wish, timeoutMs };
  const scope = flags.allNamespaces ? undefined : cluster.namespace;
  const found =
    names.length > 0
      ? await Promise.all(names.map((name) => findNamed(cluster, name)))
      : await findLeftovers(cluster, scope);
  const refused = new Set<string>();
  let worst: ExitCode = EXIT.done;
  for (const one of found) {
    const code = await takeOne(job, one);
    if (code === EXIT.done) continue;
    refused.add(keyIn(one));
    worst = worst === EXIT.done || code === EXIT.failed ? code : worst;
  }
  const removed = await removeBatchReleases(job, scope, refused, names.length > 0 ? found : undefined);
  if (found.length === 0 && removed === 0)
    context.io.out(
      `no leftovers of OpenKruise Rollouts on workloads in ${scope === undefined ? 'any namespace' : `namespace ${scope}`}\n`,
    );
  return worst;
}

/** Throws CliError for flags that exclude each other. */
function wishOf({ finish, rollback, partition }: TakeoverFlags, names: readonly string[]): Wish {
  if (finish && rollback) throw usageError('--finish and --rollback are mutually exclusive');
  if (partition === undefined) return { ending: finish ? 'Finish' : rollback ? 'Rollback' : undefined, partition };
  if (finish || rollback)
    throw usageError('--partition applies only if a Rollout continues the release: set the partition afterwards');
  if (names.length !== 1) throw usageError('--partition requires the name of one workload');
  return { ending: undefined, partition: parsePartition(partition) };
}

function parsePartition(text: string): IntOrString {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  if (/^\d{1,3}%$/.test(text)) return text;
  throw usageError(`invalid --partition "${text}": write a number of Pods, or a percentage`);
}

const keyIn = ({ resource, workload }: Named): string => keyOfWorkload(asKind(workload, resource));

/** Repeats until nothing is left to do: reads the facts, plans one write, sends it. */
async function takeOne(job: Job, target: Named): Promise<ExitCode> {
  const { context, cluster, dryRun, wish, timeoutMs } = job;
  const { io } = context;
  const { realClock, sleep } = await import('../../kube/clock.ts');
  const name = `${target.resource.kind} ${keyOf(target.workload)}`;
  const deadline = io.now() + timeoutMs;
  let waitsFor = 'a moment without other writes to it';
  let told = false;
  for (;;) {
    const { plan, workload } = await planNext(cluster, target, wish, io.now());
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
      if (plan.kind === 'PatchWorkload' && plan.guessed !== undefined)
        io.err(`Warning: ${name}: OpenKruise did not record ${plan.guessed}\n`);
      if (await write(cluster, target.resource, workload, plan, dryRun)) {
        io.out(`${name}: ${plan.says}${dryRunNote(dryRun)}\n`);
        told = true;
        // In a dry run the facts stay the same, so the next plan would, too.
        if (dryRun !== 'none' || plan.kind === 'PatchWorkload') return EXIT.done;
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

type WritingPlan = Extract<TakeoverPlan, { kind: 'PatchWorkload' | 'PatchReplicaSet' }>;

/** Returns false on a conflict. */
async function write(
  cluster: Cluster,
  resource: Resource,
  workload: Deployment,
  plan: WritingPlan,
  dryRun: DryRun,
): Promise<boolean> {
  try {
    await cluster.send(writeOf(resource, workload, plan), dryRun);
    return true;
  } catch (error) {
    if (cluster.answerOf(error) !== 'Conflict') throw error;
    return false;
  }
}

const writeOf = (resource: Resource, workload: Deployment, plan: WritingPlan): Write =>
  plan.kind === 'PatchWorkload'
    ? {
        method: 'PATCH',
        resource,
        ...nameOf(workload),
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

/** Removes the BatchReleases of all workloads that are not `refused`; with `only`, of these alone. Returns their number. */
async function removeBatchReleases(
  { context, cluster, dryRun }: Job,
  scope: string | undefined,
  refused: ReadonlySet<string>,
  only: readonly Named[] | undefined,
): Promise<number> {
  const wanted = only && new Set(only.map(keyIn));
  const all = await listBatchReleases(cluster, scope);
  const theirs = all.filter((one) => !refused.has(workloadOf(one)) && (wanted?.has(workloadOf(one)) ?? true));
  for (const one of theirs) await removeBatchRelease(cluster, one, dryRun);
  if (theirs.length > 0)
    context.io.out(
      `${plural(theirs.length, 'BatchRelease')} of OpenKruise Rollouts removed: ${theirs.map(keyOf).join(', ')}${dryRunNote(dryRun)}\n`,
    );
  return theirs.length;
}
