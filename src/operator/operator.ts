// The controller: for each workload that a Rollout names, it reads the facts, calls the engine and carries out the decision.
import { FIELD_OWNERS, HELD } from '../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../api/names.ts';
import type { ControllerRevision, KubeObject, PodTemplate, Rollout, Workload, TemplateDigest } from '../api/types.ts';
import { releaseOrphan } from '../engine/release/finalize.ts';
import { olderFirst, ownerOf } from '../engine/release/governing-rollout.ts';
import { decide as decideRelease } from '../engine/decide.ts';
import { standAside } from '../engine/release/stand-aside.ts';
import type { Decision } from '../engine/decision.ts';
import type { Snapshot } from '../engine/snapshot.ts';
import type { Violation } from '../engine/validate/violation.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { isOwnedBy } from '../engine/workload/pods.ts';
import { digest, sha256 } from '../kube/digest.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import type { EventRecorder } from '../kube/events.ts';
import { findObject } from '../kube/get.ts';
import { silent, type Logger } from '../kube/log.ts';
import { CONTROLLER_REVISIONS, ROLLOUTS } from '../api/resources.ts';
import { WorkQueue, type Outcome } from '../kube/queue.ts';
import type { Change, Listing } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import { Applier } from './apply.ts';
import { ChildWatches } from './children.ts';
import { MutationCache } from './mutation-cache.ts';
import type { PolicyLookup } from './policies.ts';
import { keyFor, readKey, workloadKey, type WorkloadName } from './workload.ts';

export interface OperatorMetrics {
  reconcile(controller: string, result: string, seconds: number): void;
  watchQueue(controller: string, depth: () => number): void;
  /** `key`: key of the workload (keyFor in workload.ts). */
  budgetMove(move: string, key: string): void;
  bypass(): void;
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
}

/** One collection for each supported kind. */
export type Workloads = ReadonlyMap<WorkloadKind, Collection<Workload>>;

export interface OperatorDeps {
  readonly api: Api;
  readonly clock: Clock;
  readonly events: EventRecorder;
  /** All Rollouts in v1beta1, with the index `workload` (`<namespace>/<kind>/<name>` of the workload). */
  readonly rollouts: Collection<Rollout>;
  /** For each kind, the workloads with the label `rollouts.kruise.io/workload-type`. */
  readonly workloads: Workloads;
  readonly logger?: Logger;
  readonly metrics?: OperatorMetrics;
  readonly workers?: number;
  /** Why changes in a namespace are not held. Without it, the webhooks select all namespaces. */
  readonly unreached?: (namespace: string) => Violation | undefined;
  /** Without it, there are no policies. */
  readonly policies?: PolicyLookup;
  /** The engine. Tests replace it by a broken one, to check that it is detected. */
  readonly decide?: typeof decideRelease;
}

export interface Operator {
  start(): void;
  /** Resolves when no work is in progress and all its watches are closed. */
  stop(): Promise<void>;
}

const CONTROLLER = 'rollout';
/** Changes of Pods within this time cause one decision. */
const TOGETHER_MS = 15;
/** Delay of a retry if caches may be out of date. */
const LOOK_AGAIN_MS = 5_000;

/** Work is keyed by workload, so two Rollouts of one workload are never processed at the same time. */
export function createOperator(deps: OperatorDeps): Operator {
  const { api, clock, rollouts, workloads, metrics, events, logger = silent, decide = decideRelease } = deps;
  const queue = new WorkQueue({
    clock,
    work: reconcile,
    logger,
    ...(deps.workers ? { workers: deps.workers } : {}),
    onDone: (result, ms) => metrics?.reconcile(CONTROLLER, result, ms / 1000),
  });
  const writes = new MutationCache();
  const applier = new Applier({ api, clock, events, writes, logger, ...(metrics ? { metrics } : {}) });
  const children = new ChildWatches({
    api,
    clock,
    logger,
    wake: (key) => queue.addAfter(key, TOGETHER_MS),
    listed: (kind, listing, key) => writes.listed(kind, listing, key).forEach((lost) => queue.add(lost)),
    ...(metrics ? { metrics } : {}),
  });
  /** Digests of templates in a release. Caching the others at start-up would fill V8's old generation. */
  const digests = new WeakMap<PodTemplate, TemplateDigest>();
  const ends: (() => void)[] = [];
  let stopped = false;

  function rememberedDigest(template: PodTemplate): TemplateDigest {
    let text = digests.get(template);
    if (text === undefined) digests.set(template, (text = digest(template)));
    return text;
  }

  const rolloutsOf = (key: string): Rollout[] => {
    const at = readKey(key);
    const found =
      'misnamed' in at
        ? [rollouts.get(`${at.namespace}/${at.misnamed}`)].filter((one) => one !== undefined)
        : rollouts.by('workload', `${at.namespace}/${at.kind.resource.kind}/${at.name}`);
    // A Rollout with another workload has another key.
    return found.filter((one) => workloadKey(one) === key).map((one) => writes.newest(key, one));
  };

  const onRollout = ({ object, old }: Change<Rollout>): void => {
    for (const rollout of old ? [object, old] : [object]) queue.add(workloadKey(rollout));
  };

  const onWorkload =
    (kind: WorkloadKind) =>
    ({ type, object }: Change<Workload>): void => {
      const key = keyFor(kind, object.metadata.namespace ?? '', object.metadata.name);
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
    // After a restored backup the caches are invalid until they are listed again.
    if (!rollouts.synced || [...workloads.values()].some(({ synced }) => !synced))
      return { againAfterMs: LOOK_AGAIN_MS };
    // 1. Read the Rollouts and the workload.
    const wanting = rolloutsOf(key).sort(olderFirst);
    applier.keepOnly(key, wanting);
    const at = readKey(key);
    const kind = 'kind' in at ? at.kind : undefined;
    const workload = 'kind' in at ? await find(key, at, wanting.length > 0) : undefined;
    if (kind && workload && (await applier.giveBackOwners(key, kind, workload))) return { againAfterMs: 0 };
    if (wanting.length === 0) return kind && workload ? carryOutOrphan(key, kind, workload) : forget(key);
    // 2. The oldest Rollout governs. Deleted Rollouts leave, and the others report that they stand aside.
    const owner = ownerOf(wanting)!;
    for (const other of wanting) {
      if (other === owner) continue;
      const snapshot = snapshotOf(key, other, workload, false);
      const decision = isDeleting(other)
        ? await decideOn(key, workload, (copy) => decide({ ...snapshot, ...copy }))
        : standAside(snapshot, 'WorkloadTaken', owner.metadata.name);
      await applier.carryOut(key, decision, other, workload);
    }
    // 3. Decide, and carry out the decision.
    const alone = wanting.every((rollout) => rollout === owner || isDeleting(rollout));
    const decision = await decideOn(key, workload, (copy) =>
      decide({ ...snapshotOf(key, owner, workload, alone), ...copy }),
    );
    if (decision.needsChildren && kind && workload) children.open(key, kind, workload);
    const written = await applier.carryOut(key, decision, owner, workload).catch(async (error: unknown) => {
      await applier.reportRefusal(key, owner, workload, error);
      throw error;
    });
    if (!written && !decision.needsChildren) applier.forget(key, owner);
    return next(key, decision, written);
  }

  /** Decides, and decides again with the copy of the stable template if it is needed, which is rare. */
  async function decideOn(
    key: string,
    workload: Workload | undefined,
    take: (copy: Pick<Snapshot, 'copy'>) => Decision,
  ): Promise<Decision> {
    const decision = take({});
    if (decision.needsCopy === undefined || !workload) return decision;
    return take({ copy: await readCopy(key, workload, decision.needsCopy) });
  }

  async function readCopy(key: string, workload: Workload, name: string): Promise<ControllerRevision | null> {
    const asked = { namespace: splitKey(key).namespace, name };
    const copy = await findObject<ControllerRevision>(api, CONTROLLER_REVISIONS, asked);
    return copy !== undefined && isOwnedBy(copy, workload) ? copy : null;
  }

  function next(key: string, decision: Decision, written: boolean): Outcome {
    if (written) return { againAfterMs: 0 };
    if (!decision.needsChildren) {
      void children.close(key);
      writes.forget(key);
    }
    return decision.againAfterMs === undefined ? {} : { againAfterMs: decision.againAfterMs };
  }

  function snapshotOf(key: string, rollout: Rollout, workload: Workload | undefined, alone: boolean): Snapshot {
    const reportedAt = applier.reportedAt(key, rollout);
    const gate = deps.policies?.gate(key, rollout, workload);
    const labelsAgainAt = applier.labelsAgainAt(key);
    const inRelease = workload?.metadata.annotations?.[HELD] !== undefined;
    const unreached = deps.unreached?.(splitKey(key).namespace);
    const facts = {
      now: clock.now(),
      rollout,
      workload,
      children: workload && childrenOf(key, workload),
      alone,
      reportedAt,
      ...(labelsAgainAt === undefined ? {} : { labelsAgainAt }),
      digest: inRelease ? rememberedDigest : digest,
      sha256,
      ...(unreached && { unreached }),
    };
    return gate ? { ...facts, gate } : facts;
  }

  const childrenOf = (key: string, workload: Workload): Snapshot['children'] =>
    children.get(key, workload, (object) => writes.newest(key, object));

  /** The workload from the cache, or from the API server if a Rollout names it and it is not enrolled yet. */
  async function find(key: string, at: WorkloadName, isNamed: boolean): Promise<Workload | undefined> {
    const { kind, namespace, name } = at;
    const known = workloads.get(kind)?.get(`${namespace}/${name}`);
    if (known) return writes.newest(key, known);
    return isNamed ? findObject<Workload>(api, kind.resource, { namespace, name }) : undefined;
  }

  /** A workload without a known Rollout, which may be held. */
  async function carryOutOrphan(key: string, kind: WorkloadKind, workload: Workload): Promise<Outcome> {
    const held = kind.readHold(workload);
    if (!held || (await exists(workload, held.rollout))) {
      if (!held) forget(key);
      return held ? { againAfterMs: LOOK_AGAIN_MS } : {};
    }
    const gate = deps.policies?.gateOfOrphan(key, workload);
    const found = { now: clock.now(), children: childrenOf(key, workload), digest, sha256 };
    const facts = gate ? { ...found, gate } : found;
    const decision = await decideOn(key, workload, (copy) => releaseOrphan(kind, workload, { ...facts, ...copy }));
    if (decision.needsChildren) children.open(key, kind, workload);
    return next(key, decision, await applier.carryOut(key, decision, undefined, workload));
  }

  /** Reads the Rollout from the API server, because with an outdated cache a held workload would be given back too early. */
  async function exists({ metadata }: Workload, name: string): Promise<boolean> {
    const { namespace } = metadata;
    // The name is from the record, which users can write.
    if (!isName(SUBDOMAIN_NAME, name)) return false;
    const rollout = await findObject<Rollout>(api, ROLLOUTS, { namespace, name });
    return rollout?.spec.workloadRef.name === metadata.name;
  }

  async function startWork(): Promise<void> {
    const synced = await Promise.all([rollouts, ...workloads.values()].map((each) => each.whenSynced()));
    if (stopped || synced.includes(false)) return;
    const onListed = (kind: string) => (listing: Listing) =>
      writes.listed(kind, listing).forEach((key) => queue.add(key));
    ends.push(rollouts.onListed(onListed('Rollout')), rollouts.on(onRollout));
    for (const [kind, collection] of workloads) {
      ends.push(collection.onListed(onListed(kind.resource.kind)), collection.on(onWorkload(kind)));
    }
    if (deps.policies) ends.push(deps.policies.onChange((key) => queue.add(key)));
    queue.start();
  }

  return {
    start() {
      metrics?.watchQueue(CONTROLLER, () => queue.depth);
      void startWork();
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
