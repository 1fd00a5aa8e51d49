// The one controller: for each Deployment that a Rollout names, gather the facts, let the engine decide, carry it out.
import { hash } from 'node:crypto';
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../api/names.ts';
import type { ControllerRevision, Deployment, KubeObject, PodTemplate, Rollout } from '../api/types.ts';
import { releaseOrphan } from '../engine/release/finalize.ts';
import { readHeld } from '../engine/workload/deployment/hold.ts';
import { olderFirst, ownerOf } from '../engine/release/governing-rollout.ts';
import { decide as decideRelease, standAside } from '../engine/decide.ts';
import { templateDigest } from '../engine/lib/template.ts';
import type { Decision, Snapshot } from '../engine/snapshot.ts';
import type { Violation } from '../engine/validate/violation.ts';
import { isOwnedBy } from '../engine/workload/deployment/view.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import type { EventRecorder } from '../kube/events.ts';
import { findObject } from '../kube/get.ts';
import { silent, type Logger } from '../kube/log.ts';
import { CONTROLLER_REVISIONS, DEPLOYMENTS, ROLLOUTS } from '../api/resources.ts';
import { WorkQueue, type Outcome } from '../kube/queue.ts';
import type { Change, Listing } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import { Applier } from './apply.ts';
import { ChildWatches } from './children.ts';
import { OwnWrites } from './mutation-cache.ts';
import type { PolicyLookup } from './policies.ts';
import { misnamedBy, workloadKey } from './workload.ts';

export interface OperatorMetrics {
  reconcile(controller: string, result: string, seconds: number): void;
  watchQueue(controller: string, depth: () => number): void;
  /** `key`: `namespace/name` of the Deployment. */
  budgetMove(move: string, key: string): void;
  bypass(): void;
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
}

export interface OperatorDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly events: EventRecorder;
  /** All Rollouts in v1beta1, with an index `workload` of `<namespace>/<kind>/<name>` of the workload. */
  readonly rollouts: Collection<Rollout>;
  /** Deployments that carry the label `rollouts.kruise.io/workload-type`. */
  readonly deployments: Collection<Deployment>;
  readonly logger?: Logger;
  readonly metrics?: OperatorMetrics;
  readonly workers?: number;
  /** Why no change in a namespace can be held; without it the webhooks reach all of them. */
  readonly unreached?: (namespace: string) => Violation | undefined;
  /** Without it there are no policies. */
  readonly policies?: PolicyLookup;
  /** The engine; tests put a worse one in its place, to see that it is missed. */
  readonly decide?: typeof decideRelease;
}

export interface Operator {
  start(): void;
  /** Resolves when no work is in progress and no watch of its own is open. */
  stop(): Promise<void>;
}

const CONTROLLER = 'rollout';
/** Pods of a batch come and go in crowds: looked at once for all that happened within this time. */
const TOGETHER_MS = 15;
/** A cache may be a little behind the webhook's. */
const LOOK_AGAIN_MS = 5_000;

const sha256 = (text: string): string => hash('sha256', text);

/** Work is keyed by the Deployment, `namespace/name`: two Rollouts for one Deployment are never worked on at the same time. */
export function createOperator(deps: OperatorDeps): Operator {
  const { api, clock, rollouts, deployments, metrics, events, logger = silent, decide = decideRelease } = deps;
  const queue = new WorkQueue({
    clock,
    work: reconcile,
    logger,
    ...(deps.workers ? { workers: deps.workers } : {}),
    onDone: (result, ms) => metrics?.reconcile(CONTROLLER, result, ms / 1000),
  });
  const writes = new OwnWrites();
  const applier = new Applier({ api, clock, events, writes, logger, ...(metrics ? { metrics } : {}) });
  const children = new ChildWatches({
    api,
    clock,
    logger,
    wake: (key) => queue.addAfter(key, TOGETHER_MS),
    listed: (kind, listing, key) => writes.listed(kind, listing, key).forEach((lost) => queue.add(lost)),
    ...(metrics ? { metrics } : {}),
  });
  /** Of templates in a release. What is asked once, of each Deployment at the start, would make old garbage of all of them by being remembered. */
  const digests = new WeakMap<PodTemplate, string>();
  const ends: (() => void)[] = [];
  let stopped = false;

  const digest = (template: PodTemplate): string => templateDigest(template, sha256);
  function rememberedDigest(template: PodTemplate): string {
    let text = digests.get(template);
    if (text === undefined) digests.set(template, (text = digest(template)));
    return text;
  }

  const rolloutsOf = (key: string): Rollout[] => {
    const { namespace, name } = splitKey(key);
    const misnamed = misnamedBy(name);
    const found =
      misnamed === undefined
        ? rollouts.by('workload', `${namespace}/Deployment/${name}`)
        : [rollouts.get(`${namespace}/${misnamed}`)].filter((one) => one?.spec.workloadRef.kind === 'Deployment');
    // A Rollout that has been given another workload has another key.
    return found.filter((one) => one !== undefined && workloadKey(one) === key).map((one) => writes.newest(key, one!));
  };

  const onRollout = ({ object, old }: Change<Rollout>): void => {
    for (const rollout of old ? [object, old] : [object]) queue.add(workloadKey(rollout));
  };

  const onDeployment = ({ key, type, object }: Change<Deployment>): void => {
    if (type === 'deleted') forget(key);
    const { annotations } = object.metadata;
    const isOurs = annotations?.[HELD] !== undefined || annotations?.[FIELD_OWNERS] !== undefined;
    if (isOurs || rolloutsOf(key).length > 0) queue.add(key);
  };

  function forget(key: string): void {
    writes.forget(key);
    applier.forgetLabels(key);
    void children.close(key);
  }

  async function reconcile(key: string): Promise<Outcome | void> {
    // Known to be of a history that is no more: all is told again as soon as it was listed.
    if (!rollouts.synced || !deployments.synced) return { againAfterMs: LOOK_AGAIN_MS };
    // 1. Who wants what of this Deployment, and what is it like.
    const wanting = rolloutsOf(key).sort(olderFirst);
    applier.keepOnly(key, wanting);
    const deployment = await find(key, wanting);
    if (deployment && (await applier.giveBackOwners(key, deployment))) return { againAfterMs: 0 };
    if (wanting.length === 0) return deployment ? carryOutOrphan(key, deployment) : forget(key);
    // 2. The oldest works; those on their way out leave; the others say that they stand aside.
    const owner = ownerOf(wanting)!;
    for (const other of wanting) {
      if (other === owner) continue;
      const snapshot = snapshotOf(key, other, deployment, false);
      const decision = isDeleting(other)
        ? await decideOn(key, deployment, (copy) => decide({ ...snapshot, ...copy }))
        : standAside(snapshot, 'WorkloadTaken', owner.metadata.name);
      await applier.carryOut(key, decision, other, deployment);
    }
    // 3. Decide, and carry it out.
    const alone = wanting.every((rollout) => rollout === owner || isDeleting(rollout));
    const decision = await decideOn(key, deployment, (copy) =>
      decide({ ...snapshotOf(key, owner, deployment, alone), ...copy }),
    );
    if (decision.needsChildren && deployment) children.open(key, deployment);
    const written = await applier.carryOut(key, decision, owner, deployment).catch(async (error: unknown) => {
      await applier.reportRefusal(key, owner, deployment, error);
      throw error;
    });
    if (!written && !decision.needsChildren) applier.forget(key, owner);
    return next(key, decision, written);
  }

  /** Decides again with the copy of the stable template, when it is asked for: in nearly every release it never is. */
  async function decideOn(
    key: string,
    deployment: Deployment | undefined,
    take: (copy: Pick<Snapshot, 'copy'>) => Decision,
  ): Promise<Decision> {
    const decision = take({});
    if (decision.needsCopy === undefined || !deployment) return decision;
    return take({ copy: await readCopy(key, deployment, decision.needsCopy) });
  }

  async function readCopy(key: string, deployment: Deployment, name: string): Promise<ControllerRevision | null> {
    const asked = { namespace: splitKey(key).namespace, name };
    const copy = await findObject<ControllerRevision>(api, CONTROLLER_REVISIONS, asked);
    return copy !== undefined && isOwnedBy(copy, deployment) ? copy : null;
  }

  function next(key: string, decision: Decision, written: boolean): Outcome {
    if (written) return { againAfterMs: 0 };
    if (!decision.needsChildren) {
      void children.close(key);
      writes.forget(key);
    }
    return decision.againAfterMs === undefined ? {} : { againAfterMs: decision.againAfterMs };
  }

  function snapshotOf(key: string, rollout: Rollout, deployment: Deployment | undefined, alone: boolean): Snapshot {
    const found = deployment && children.get(key, deployment);
    const newest = found && {
      replicaSets: found.replicaSets.map((set) => writes.newest(key, set)!),
      pods: found.pods.map((pod) => writes.newest(key, pod)),
    };
    const reportedAt = applier.reportedAt(key, rollout);
    const gate = deps.policies?.gate(key, rollout, deployment);
    const labelsAgainAt = applier.labelsAgainAt(key);
    const inRelease = deployment?.metadata.annotations?.[HELD] !== undefined;
    const unreached = deps.unreached?.(splitKey(key).namespace);
    const facts = {
      now: clock.now(),
      rollout,
      deployment,
      children: newest,
      alone,
      reportedAt,
      ...(labelsAgainAt === undefined ? {} : { labelsAgainAt }),
      digest: inRelease ? rememberedDigest : digest,
      sha256,
      ...(unreached && { unreached }),
    };
    return gate ? { ...facts, gate } : facts;
  }

  /** From the watch; one that is not enrolled yet is asked for by name. */
  async function find(key: string, wanting: readonly Rollout[]): Promise<Deployment | undefined> {
    const known = deployments.get(key);
    if (known) return writes.newest(key, known);
    const { namespace, name } = splitKey(key);
    if (wanting.length === 0 || misnamedBy(name) !== undefined) return undefined;
    return findObject<Deployment>(api, DEPLOYMENTS, { namespace, name });
  }

  /** Held, and no Rollout that we know of names it. */
  async function carryOutOrphan(key: string, deployment: Deployment): Promise<Outcome> {
    const held = readHeld(deployment);
    if (!held || (await exists(key, held.rollout))) {
      if (!held) forget(key);
      return held ? { againAfterMs: LOOK_AGAIN_MS } : {};
    }
    const gate = deps.policies?.gateOfOrphan(key, deployment);
    const found = { now: clock.now(), children: children.get(key, deployment), digest, sha256 };
    const facts = gate ? { ...found, gate } : found;
    const decision = await decideOn(key, deployment, (copy) => releaseOrphan(deployment, { ...facts, ...copy }));
    if (decision.needsChildren) children.open(key, deployment);
    return next(key, decision, await applier.carryOut(key, decision, undefined, deployment));
  }

  /** Asks the API server, since a cache that is behind would give away what is held with good reason. */
  async function exists(key: string, name: string): Promise<boolean> {
    const { namespace, name: workload } = splitKey(key);
    // The name is from the record on the Deployment, where its users can write.
    if (!isName(SUBDOMAIN_NAME, name)) return false;
    const rollout = await findObject<Rollout>(api, ROLLOUTS, { namespace, name });
    return rollout?.spec.workloadRef.name === workload;
  }

  async function begin(): Promise<void> {
    const synced = await Promise.all([rollouts.whenSynced(), deployments.whenSynced()]);
    if (stopped || synced.includes(false)) return;
    const onListed = (kind: string) => (listing: Listing) =>
      writes.listed(kind, listing).forEach((key) => queue.add(key));
    ends.push(rollouts.onListed(onListed('Rollout')), deployments.onListed(onListed('Deployment')));
    ends.push(rollouts.on(onRollout), deployments.on(onDeployment));
    if (deps.policies) ends.push(deps.policies.onChange((key) => queue.add(key)));
    queue.start();
  }

  return {
    start() {
      metrics?.watchQueue(CONTROLLER, () => queue.depth);
      void begin();
    },
    async stop() {
      stopped = true;
      for (const end of ends) end();
      await queue.drain();
      await children.closeAll();
    },
  };
}

const isDeleting = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;
