// `kubectl tranche takeover`: Deployments that OpenKruise Rollouts has left in the middle of a release become held by us, or go back to their users.
import { KRUISE_CANARY } from '../../api/keys.ts';
import type { Deployment, ReplicaSet, Rollout } from '../../api/types.ts';
import { leftoverOf } from '../../engine/release/openkruise.ts';
import {
  planTakeover,
  type Ending,
  type Service,
  type TakeoverFacts,
  type TakeoverPlan,
} from '../../engine/release/takeover.ts';
import { ownerOf } from '../../engine/release/governing-rollout.ts';
import type { ApiCall } from '../../kube/api.ts';
import { realClock, sleep } from '../../kube/clock.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import { DEPLOYMENTS, REPLICA_SETS, ROLLOUTS, SERVICES } from '../../api/resources.ts';
import { plural } from '../../engine/lib/text.ts';
import { pathOf } from '../../kube/path.ts';
import { nameOf, send } from '../act.ts';
import { digest } from '../../kube/digest.ts';
import type { Run } from '../cli.ts';
import { parseDryRun, parseDuration, type Cluster, type Context, type DryRun } from '../context.ts';
import { CliError, EXIT, usageError, type ExitCode } from '../exit.ts';
import { getDeployment, listAll, selectorText } from '../resources.ts';
import { listBatchReleases, removeBatchRelease } from '../takeover/batch-releases.ts';

import { findRunning } from '../takeover/running.ts';

interface TakeoverFlags {
  readonly allNamespaces?: boolean;
  readonly finish?: boolean;
  readonly rollback?: boolean;
  readonly timeout?: string;
  readonly dryRun?: string;
}

const LOOK_EVERY_MS = 500;

interface Job {
  readonly context: Context;
  readonly cluster: Cluster;
  readonly dryRun: DryRun;
  readonly ending: Ending | undefined;
  readonly timeoutMs: number;
}

export function takeover(flags: TakeoverFlags, names: readonly string[]): Run {
  const dryRun = parseDryRun(flags.dryRun);
  const timeoutMs = parseDuration(flags.timeout ?? '1m', '--timeout');
  if (flags.finish && flags.rollback) throw usageError('--finish and --rollback exclude each other: write one');
  if (flags.allNamespaces && names.length > 0)
    throw usageError('Deployments by name are in one namespace: leave the names or --all-namespaces out');
  const ending: Ending | undefined = flags.finish ? 'Finish' : flags.rollback ? 'Rollback' : undefined;
  return async (context) => {
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
        ? await Promise.all(names.map((name) => getDeployment(cluster, withoutKind(name))))
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
  };
}

const withoutKind = (argument: string): string => argument.replace(/^deploy(?:ment)?s?(?:\.apps)?\//, '');
const keyOf = ({ metadata }: Deployment): string => `${metadata.namespace}/${metadata.name}`;

async function findLeftovers(cluster: Cluster, namespace: string | undefined): Promise<Deployment[]> {
  const deployments = await listAll<Deployment>(cluster.api, pathOf(DEPLOYMENTS, { namespace }));
  const rollouts = await rolloutsIn(cluster, namespace);
  return deployments.filter((one) => leftoverOf(one, ownerOf(naming(rollouts, one))) !== undefined);
}

/** None where the kind is gone. */
async function rolloutsIn({ api }: Cluster, namespace: string | undefined): Promise<Rollout[]> {
  try {
    return await listAll<Rollout>(api, pathOf(ROLLOUTS, { namespace }));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

const naming = (rollouts: readonly Rollout[], { metadata }: Deployment): Rollout[] =>
  rollouts.filter(
    ({ metadata: { namespace }, spec: { workloadRef } }) =>
      namespace === metadata.namespace && workloadRef.kind === 'Deployment' && workloadRef.name === metadata.name,
  );

async function gather(cluster: Cluster, { metadata }: Deployment, now: number): Promise<TakeoverFacts> {
  const { api } = cluster;
  const namespace = metadata.namespace ?? cluster.namespace;
  const deployment = await getDeployment({ ...cluster, namespace }, metadata.name);
  const labelSelector = selectorText(deployment.spec.selector);
  const [rollouts, replicaSets, services, extras] = await Promise.all([
    rolloutsIn(cluster, namespace),
    listAll<ReplicaSet>(api, pathOf(REPLICA_SETS, { namespace }), { labelSelector }),
    listAll<Service>(api, pathOf(SERVICES, { namespace })),
    listAll<Deployment>(api, pathOf(DEPLOYMENTS, { namespace }), {
      labelSelector: `${KRUISE_CANARY}=${metadata.name}`,
    }),
  ]);
  return { now, deployment, rollouts: naming(rollouts, deployment), replicaSets, services, extras, digest };
}

/** Write after write until nothing is left to do: each is decided on what is there then. */
async function takeOne(job: Job, target: Deployment): Promise<ExitCode> {
  const { context, cluster, dryRun, ending, timeoutMs } = job;
  const { io } = context;
  const name = `Deployment ${keyOf(target)}`;
  const suffix = dryRun === 'none' ? '' : ` (${dryRun} dry run: nothing was changed)`;
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
        io.out(`${name}: ${plan.says}${suffix}\n`);
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

/** False when somebody else has written meanwhile: then all is decided again. */
async function write(
  cluster: Cluster,
  deployment: Deployment,
  plan: Extract<TakeoverPlan, { kind: 'PatchDeployment' | 'PatchReplicaSet' }>,
  dryRun: DryRun,
): Promise<boolean> {
  const call: ApiCall =
    plan.kind === 'PatchDeployment'
      ? {
          method: 'PATCH',
          path: pathOf(DEPLOYMENTS, nameOf(deployment)),
          contentType: 'application/json-patch+json',
          body: plan.ops,
        }
      : {
          method: 'PATCH',
          path: pathOf(REPLICA_SETS, nameOf(plan.set)),
          contentType: 'application/merge-patch+json',
          body: { metadata: { resourceVersion: plan.set.metadata.resourceVersion }, spec: plan.spec },
        };
  try {
    if (dryRun !== 'client') await send(cluster, call, dryRun);
    return true;
  } catch (error) {
    if (!isConflict(error)) throw error;
    return false;
  }
}

/** Those of Deployments that are taken over, or that nothing is left of; with `only`, of these Deployments alone. */
async function removeBatchReleases(
  { context, cluster, dryRun }: Job,
  scope: string | undefined,
  refused: ReadonlySet<string>,
  only: readonly Deployment[] | undefined,
): Promise<number> {
  const wanted = only && new Set(only.map(keyOf));
  const workloadOf = ({
    metadata,
    spec,
  }: {
    metadata: Deployment['metadata'];
    spec?: { workloadRef?: { name?: string } };
  }): string => `${metadata.namespace}/${spec?.workloadRef?.name}`;
  const all = await listBatchReleases(cluster, scope);
  const theirs = all.filter((one) => !refused.has(workloadOf(one)) && (wanted?.has(workloadOf(one)) ?? true));
  for (const one of theirs) await removeBatchRelease(cluster, one, dryRun);
  if (theirs.length > 0)
    context.io.out(
      `${plural(theirs.length, 'BatchRelease')} of OpenKruise Rollouts removed: ${theirs.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ')}` +
        `${dryRun === 'none' ? '' : ` (${dryRun} dry run: nothing was changed)`}\n`,
    );
  return theirs.length;
}
