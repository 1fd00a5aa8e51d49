// Checks Rollouts and their workloads: holds, leftovers of Tranche and OpenKruise, and namespaces without webhooks.
import { HELD, ROLLOUT_FINALIZER, ROLLOUT_RESOURCE, WORKLOAD_TYPE } from '../../api/keys.ts';
import type { StalledReason } from '../../api/reasons.ts';
import { argumentOf, DEPLOYMENTS, NAMESPACES, ROLLOUTS } from '../../api/resources.ts';
import type { Deployment, Held, HoldRecord, Rollout } from '../../api/types.ts';
import { freeDeployment } from '../../engine/workload/deployment/effects.ts';
import { isMarked } from '../../engine/workload/deployment/hold.ts';
import { deploymentKind } from '../../engine/workload/deployment/kind.ts';
import type { WorkloadKind } from '../../engine/workload/kind.ts';
import { KINDS } from '../../engine/workload/registry.ts';
import { HELD_ANNOTATIONS, HELD_LABELS } from '../../engine/workload/record.ts';
import { leftoverOf } from '../../engine/release/openkruise.ts';
import { olderFirst, ownerOf } from '../../engine/release/governing-rollout.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { plural, workloadArgument } from '../../engine/lib/text.ts';
import { parseTime } from '../../engine/lib/time.ts';
import { pathOf } from '../../kube/path.ts';
import { resourceOf } from '../../view/reference.ts';
import { messageOf } from '../../view/state.ts';
import type { Cluster } from '../cluster.ts';
import { ago } from '../text.ts';
import { listWorkloads } from '../workloads.ts';
import { installWith, note, ok, patchCommand, problem, type Finding } from './finding.ts';
import { reaches, type WebhookConfiguration } from './webhooks.ts';

export async function checkDeployments(
  cluster: Cluster,
  alive: boolean,
  webhooks: readonly WebhookConfiguration[],
  now: number,
): Promise<Finding[]> {
  const [where, namespace] = await scope(cluster);
  const deployments = (await listWorkloads(cluster, namespace)).map(({ workload }) => workload);
  const rollouts = await cluster.list<Rollout>(ROLLOUTS, { namespace }).catch((error: unknown) => {
    if (isNotFound(error)) return [];
    throw error;
  });
  const findings = deployments.flatMap((deployment) => {
    const naming = rollouts.filter(
      ({ metadata, spec }) =>
        metadata.namespace === deployment.metadata.namespace &&
        spec.workloadRef.name === deployment.metadata.name &&
        resourceOf({ spec }) === kindIn(deployment).resource,
    );
    return [
      ...leftByOpenKruise(deployment, ownerOf(naming)),
      ...checkHold(deployment, naming, alive),
      ...checkRivals(deployment, naming),
    ];
  });
  findings.push(...rollouts.flatMap((rollout) => checkRollout(rollout, deployments, { alive, now })));
  findings.push(...(await checkNamespaces(cluster, rollouts, webhooks)));
  const held = (of: WorkloadKind): number =>
    deployments.filter((one) => kindIn(one) === of && one.metadata.annotations?.[HELD] !== undefined).length;
  const others = KINDS.filter((kind) => kind !== deploymentKind && held(kind) > 0);
  const counts = [deploymentKind, ...others].map((kind) => plural(held(kind), `held ${kind.resource.kind}`));
  const count = `${[plural(rollouts.length, 'Rollout'), ...counts].join(', ')} in ${where}`;
  return [findings.some(({ level }) => level === 'problem') ? note(count) : ok(count), ...findings];
}

const kindIn = ({ apiVersion, kind }: Deployment): WorkloadKind =>
  KINDS.find(({ resource }) => resource.kind === kind && resource.apiVersion === apiVersion) ?? deploymentKind;

/** All namespaces; only the current one if the user may not list all. */
async function scope({ api, namespace }: Cluster): Promise<[string, string | undefined]> {
  try {
    await api.request({ method: 'GET', path: pathOf(DEPLOYMENTS), query: { limit: '1' } });
    return ['all namespaces', undefined];
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return [`namespace ${namespace}`, namespace];
  }
}

const nameOf = (one: Deployment): string =>
  `${kindIn(one).resource.kind} ${one.metadata.namespace}/${one.metadata.name}`;
const mend = (one: Deployment, patch: object): string =>
  patchCommand(argumentOf(kindIn(one).resource), one.metadata.name, one.metadata.namespace ?? 'default', patch);
const gone = (keys: readonly string[]): Record<string, null> => Object.fromEntries(keys.map((key) => [key, null]));

function checkHold(deployment: Deployment, naming: readonly Rollout[], alive: boolean): Finding[] {
  const { metadata } = deployment;
  const name = nameOf(deployment);
  const rollout = naming.find(({ spec }) => spec.disabled !== true);
  if (metadata.annotations?.[HELD] === undefined) {
    if (kindIn(deployment) === deploymentKind && isMarked(deployment))
      return [
        problem(
          `${name} has the minReadySeconds of a release but is not in a release: its Pods never become available`,
          mend(deployment, { spec: { minReadySeconds: null, progressDeadlineSeconds: null } }),
        ),
      ];
    if (metadata.labels?.[WORKLOAD_TYPE] !== undefined && naming.length === 0)
      return [
        note(
          `${name} has the label ${WORKLOAD_TYPE}, but no Rollout names it: its changes call the webhook without need`,
          `kubectl label ${argumentOf(kindIn(deployment).resource)} ${metadata.name} -n ${metadata.namespace} ${WORKLOAD_TYPE}-`,
        ),
      ];
    return [];
  }
  const kind = kindIn(deployment);
  const held = kind.readHold(deployment);
  if (!held)
    return [
      problem(
        `${name} is held, but its annotation ${HELD} is not readable, so its original settings are lost; this command resumes it`,
        mend(deployment, {
          metadata: { annotations: gone(HELD_ANNOTATIONS), labels: gone(HELD_LABELS) },
          spec: kind.words.whole,
        }),
      ),
    ];
  if (!rollout)
    return [
      problem(
        `${name} is held by Rollout ${held.rollout}, which ${naming.length > 0 ? 'is disabled' : 'does not exist'}; this command restores its original settings`,
        mend(deployment, freePatch(deployment, held)),
      ),
    ];
  if (!alive)
    return [
      note(
        `${name} is held by Rollout ${rollout.metadata.name} until an operator runs; this is safe. To continue without steps:`,
        mend(deployment, freePatch(deployment, held)),
      ),
    ];
  return [ok(`${name} is held by Rollout ${rollout.metadata.name}: ${messageOf(rollout) ?? ''}`)];
}

/** The patch that gives the workload back, without the precondition, because the user may run it later. */
function freePatch(deployment: Deployment, held: HoldRecord): object {
  const kind = kindIn(deployment);
  const effects =
    kind === deploymentKind ? freeDeployment(deployment, held as Held) : kind.giveUp(deployment, held, {});
  const [effect] = effects;
  if (effect?.kind !== 'Patch' || !('metadata' in effect.patch)) return {};
  const { resourceVersion: _, ...metadata } = effect.patch.metadata as Record<string, unknown>;
  return { ...effect.patch, metadata };
}

function checkRivals(deployment: Deployment, naming: readonly Rollout[]): Finding[] {
  const first = ownerOf(naming);
  if (!first) return [];
  const others = naming.filter((one) => one !== first).toSorted(olderFirst);
  return others.map((other) =>
    problem(
      `two Rollouts name ${nameOf(deployment)}: ${first.metadata.name} is in effect, ${other.metadata.name} is not`,
      `kubectl delete ${ROLLOUT_RESOURCE} ${other.metadata.name} -n ${other.metadata.namespace}`,
    ),
  );
}

/** An operator needs seconds, or longer if the workload is rolled back first. */
const DELETION_TAKES_MS = 300_000;

/** A Rollout that is being deleted stays until its finalizers are gone. */
function checkDeletion(
  { metadata, status }: Rollout,
  deployment: Deployment | undefined,
  { alive, now }: { readonly alive: boolean; readonly now: number },
): Finding[] {
  const { name, namespace = 'default', finalizers = [] } = metadata;
  const age = now - (parseTime(metadata.deletionTimestamp) ?? now);
  const what = `Rollout ${namespace}/${name} is being deleted since ${ago(age)}`;
  const others = finalizers.filter((one) => one !== ROLLOUT_FINALIZER);
  if (others.length === finalizers.length)
    return [note(`${what}: it waits until other programs remove the finalizers ${others.join(', ')}`)];
  if (alive)
    return age < DELETION_TAKES_MS
      ? []
      : [note(`${what}: ${status?.message ?? 'no status yet'}`, `kubectl tranche status ${name} -n ${namespace}`)];
  const first =
    deployment?.metadata.annotations?.[HELD] === undefined ? '' : ` and ${nameOf(deployment)} is given back`;
  return [
    problem(
      `${what}, and stays until an operator runs and removes its finalizer. If Tranche is gone for good, this command removes it, after the ` +
        `webhooks are deleted${first}:`,
      patchCommand(ROLLOUT_RESOURCE, name, namespace, {
        metadata: { finalizers: others.length > 0 ? others : null },
      }),
    ),
  ];
}

/** The kind of the workload is not in the cluster, or Tranche has no right to it. */
const unreadable = (what: string): Finding =>
  /waiting (for|until) CustomResourceDefinition /.test(what)
    ? note(what)
    : problem(what, installWith('openkruiseWorkloads.enabled=true'));

function checkRollout(
  rollout: Rollout,
  deployments: readonly Deployment[],
  about: { readonly alive: boolean; readonly now: number },
): Finding[] {
  const { metadata, spec, status } = rollout;
  const deployment = deployments.find(
    (one) =>
      one.metadata.namespace === metadata.namespace &&
      one.metadata.name === spec.workloadRef.name &&
      kindIn(one).resource === resourceOf(rollout),
  );
  if (metadata.deletionTimestamp !== undefined) return checkDeletion(rollout, deployment, about);
  const stalled = status?.conditions?.find(({ type, status: state }) => type === 'Stalled' && state === 'True');
  if (stalled?.reason === ('KindNotServed' satisfies StalledReason))
    return [unreadable(`Rollout ${metadata.namespace}/${metadata.name} releases nothing: ${stalled.message}`)];
  if (!deployment)
    return [
      note(
        `Rollout ${metadata.namespace}/${metadata.name} names ${resourceOf(rollout).kind} ${spec.workloadRef.name}, which does not exist`,
        `kubectl delete ${ROLLOUT_RESOURCE} ${metadata.name} -n ${metadata.namespace}`,
      ),
    ];
  // The findings about the workload or the namespace cover these reasons.
  const told: ReadonlySet<string> = new Set<StalledReason>(['LeftByOpenKruise', 'NotReached']);
  return stalled && !told.has(stalled.reason ?? '')
    ? [
        note(
          `Rollout ${metadata.namespace}/${metadata.name} is stalled: ${stalled.message}`,
          `kubectl tranche retry ${metadata.name} -n ${metadata.namespace}`,
        ),
      ]
    : [];
}

/** In a namespace without webhooks, changes of workloads are not held. */
async function checkNamespaces(
  cluster: Cluster,
  rollouts: readonly Rollout[],
  webhooks: readonly WebhookConfiguration[],
): Promise<Finding[]> {
  const namespaces = await cluster.list(NAMESPACES).catch(() => []);
  const findings: Finding[] = [];
  for (const name of new Set(rollouts.map(({ metadata }) => metadata.namespace ?? ''))) {
    const known = namespaces.find(({ metadata }) => metadata.name === name);
    // The chart selects by this label, which is known even without the permission to read namespaces.
    const labels = { ...known?.metadata.labels, 'kubernetes.io/metadata.name': name };
    if (reaches(webhooks, labels) !== false) continue;
    for (const { metadata, spec } of rollouts.filter(
      (one) => one.metadata.namespace === name && one.spec.disabled !== true,
    ))
      findings.push(
        problem(
          `Rollout ${name}/${metadata.name} has no effect: the webhooks exclude namespace ${name}, so changes of ${spec.workloadRef.kind} ` +
            `${spec.workloadRef.name} are not held; move both to another namespace, or include this one (watchNamespaces of the chart)`,
          `kubectl delete ${ROLLOUT_RESOURCE} ${metadata.name} -n ${name}`,
        ),
      );
  }
  return findings;
}

const LEFT = {
  Partition: 'between two versions',
  Paused: 'paused before its first step, or with an extra Deployment',
  Held: 'held before its first step',
  BlueGreen: 'in a blue-green release',
} as const;

function leftByOpenKruise(deployment: Deployment, owner: Rollout | undefined): Finding[] {
  const kind = kindIn(deployment);
  if (kind !== deploymentKind && kind.openKruise === undefined) return [];
  const leftover = leftoverOf(deployment, owner, kind);
  if (leftover === undefined) return [];
  const { name, namespace } = deployment.metadata;
  const command = `kubectl tranche takeover ${workloadArgument(kind.resource, name)} -n ${namespace}`;
  if (leftover === 'Traces')
    return [
      note(`${nameOf(deployment)} has leftover annotations of OpenKruise Rollouts; they have no effect`, command),
    ];
  const goesOn = owner !== undefined && owner.metadata.deletionTimestamp === undefined && owner.spec.disabled !== true;
  const recreate =
    deployment.spec.strategy?.type === 'Recreate'
      ? ', with strategy Recreate: if it is resumed, it loses all Pods at the same time'
      : '';
  const how = goesOn
    ? `with this command, Rollout ${owner.metadata.name} continues the release`
    : 'no Rollout continues the release; this command updates all Pods to the current template (with --rollback: to the stable version)';
  return [
    problem(
      `OpenKruise Rollouts left ${nameOf(deployment)} ${LEFT[kind.openKruise && leftover === 'Paused' ? 'Held' : leftover]}${recreate}; ${how}`,
      goesOn ? command : `${command} --finish`,
    ),
  ];
}
