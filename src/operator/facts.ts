// Reads the facts that the engine decides on: Rollouts, the workload, its children, and what a decision asks for.
import { HELD } from '../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../api/names.ts';
import { CONTROLLER_REVISIONS, ROLLOUTS } from '../api/resources.ts';
import type { ControllerRevision, KubeObject, PodTemplate, Rollout, TemplateDigest, Workload } from '../api/types.ts';
import type { Asks, Decision } from '../engine/decision.ts';
import type { Found, Snapshot } from '../engine/snapshot.ts';
import type { OrphanFacts } from '../engine/release/finalize.ts';
import type { Violation } from '../engine/validate/violation.ts';
import { routedKeys } from '../engine/traffic/rivals.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { isCopyOf } from '../engine/workload/pods.ts';
import { kindOf } from '../engine/workload/registry.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import type { Absence, Served } from '../kube/served.ts';
import { digest, sha256 } from '../kube/digest.ts';
import { findObject } from '../kube/get.ts';
import { freeze, splitKey } from '../kube/store.ts';
import type { Applier } from './apply.ts';
import type { ChildWatches } from './children.ts';
import type { EvidenceWatches } from './evidence.ts';
import type { MutationCache } from './mutation-cache.ts';
import type { PolicyLookup } from './policies.ts';
import type { TrafficWatches } from './traffic.ts';
import { indexOf, readKey, workloadKey, workloadsIn, type WorkloadName } from './workload.ts';

/** The workloads of a kind. If the kind comes with a CRD, its objects may be impossible to read. */
export type WorkloadCollection = Collection<Workload> & Partial<Pick<Served<Workload>, 'absence' | 'onAbsence'>>;

/** One collection for each kind that this installation releases. */
export type Workloads = ReadonlyMap<WorkloadKind, WorkloadCollection>;

/** Where facts come from. */
export interface FactSources {
  readonly api: Api;
  readonly clock: Clock;
  /** All Rollouts in v1beta1, with the indexes `workload` (`<namespace>/<kind>/<name>` of the workload) and `routed` (routedKeys). */
  readonly rollouts: Collection<Rollout>;
  /** For each kind, the workloads with the label `rollouts.kruise.io/workload-type`. */
  readonly workloads: Workloads;
  /** Why changes in a namespace are not held. Without it, the webhooks select all namespaces. */
  readonly unreached?: (namespace: string) => Violation | undefined;
  /** True if Pods of workloads of this kind may be evicted. Without it, none may. */
  readonly evicts?: (kind: WorkloadKind) => boolean;
  /** Pods of every release get labels, not only those of a release whose id the user set. */
  readonly labelsPods?: boolean;
  /** Without it, there are no policies. */
  readonly policies?: PolicyLookup;
}

/**
 * How to read each fact that a decision asks for. A new fact, such as routes, is an optional key of `Asks` and of `Found`, and a method here: the
 * compiler asks for it.
 */
type Wanted = Required<Asks>;
type Readers = {
  readonly [Ask in keyof Wanted]: (key: string, ask: Wanted[Ask], workload: Workload | undefined) => Promise<Found>;
};

const notEnabled = (kind: WorkloadKind): string =>
  `this installation does not release ${workloadsIn(kind)}: set openkruiseWorkloads.enabled in the values of the chart`;

export class Facts {
  private readonly sources: FactSources;
  private readonly writes: MutationCache;
  private readonly children: ChildWatches;
  private readonly evidence: EvidenceWatches | undefined;
  private readonly traffic: TrafficWatches;
  private readonly applier: Pick<Applier, 'reportedAt' | 'labelsAgainAt' | 'evictions'>;
  /** Digests of templates in a release. Caching the others at start-up would fill V8's old generation. */
  private readonly digests = new WeakMap<PodTemplate, TemplateDigest>();

  constructor(
    sources: FactSources,
    writes: MutationCache,
    children: ChildWatches,
    applier: Pick<Applier, 'reportedAt' | 'labelsAgainAt' | 'evictions'>,
    evidence: EvidenceWatches | undefined,
    traffic: TrafficWatches,
  ) {
    this.evidence = evidence;
    this.traffic = traffic;
    this.sources = sources;
    this.writes = writes;
    this.children = children;
    this.applier = applier;
  }

  /** False after a restored backup: the caches are invalid until they are listed again. Without its policies, a release may not go on. */
  syncedFor(key: string): boolean {
    const { rollouts, workloads, policies } = this.sources;
    const at = readKey(key);
    return (
      rollouts.synced && policies?.synced !== false && ('misnamed' in at || workloads.get(at.kind)?.synced !== false)
    );
  }

  /** The Rollouts that name the workload, in their newest known state. */
  rolloutsOf(key: string): Rollout[] {
    return this.cachedRollouts(key).map((one) => this.writes.seen(key, one));
  }

  /** The Rollouts and the workload as their watches have them. */
  cached(key: string): readonly KubeObject[] {
    const at = readKey(key);
    const workload = 'kind' in at ? this.cachedWorkload(at) : undefined;
    return [...this.cachedRollouts(key), ...(workload ? [workload] : [])];
  }

  isNamed(key: string): boolean {
    return this.cachedRollouts(key).length > 0;
  }

  /** The controllers of the workload still observe or count a change, according to the watches. */
  isInterim(key: string): boolean {
    const at = readKey(key);
    if (!('kind' in at)) return false;
    const [workload, sets] = [this.cachedWorkload(at), this.children.replicaSets(key)];
    return workload !== undefined && sets !== undefined && at.kind.isInterim?.(workload, sets) === true;
  }

  private cachedWorkload({ kind, namespace, name }: WorkloadName): Workload | undefined {
    return this.sources.workloads.get(kind)?.get(`${namespace}/${name}`);
  }

  private cachedRollouts(key: string): Rollout[] {
    const { rollouts } = this.sources;
    const at = readKey(key);
    const found =
      'misnamed' in at
        ? [rollouts.get(`${at.namespace}/${at.misnamed}`)].filter((one) => one !== undefined)
        : rollouts.by('workload', indexOf(at.kind, at.namespace, at.name));
    // A Rollout with another workload has another key.
    return found.filter((one) => workloadKey(one) === key);
  }

  /** The workload from the cache, or from the API server if a Rollout names it and it is not enrolled yet. */
  async workload(key: string, at: WorkloadName, isNamed: boolean): Promise<Workload | undefined> {
    const { kind, namespace, name } = at;
    const known = this.cachedWorkload(at);
    if (known) return this.writes.seen(key, known);
    if (!isNamed || this.absenceOf(kind) !== undefined) return undefined;
    const found = await findObject<Workload>(this.sources.api, kind.resource, { namespace, name });
    // The watch tells of its enrolment later, with a state that may be older than this one.
    if (found) this.writes.read(key, found, freeze(found), false);
    return found;
  }

  snapshot(key: string, rollout: Rollout, workload: Workload | undefined, alone: boolean): Snapshot {
    const { clock, policies } = this.sources;
    const gate = policies?.gate(key, rollout, workload);
    const labelsAgainAt = this.applier.labelsAgainAt(key);
    const inRelease = workload?.metadata.annotations?.[HELD] !== undefined;
    const unreached = this.sources.unreached?.(splitKey(key).namespace);
    const kind = kindOf(rollout.spec.workloadRef);
    const absence = kind && this.absenceOf(kind);
    const routers = this.routersOf(rollout);
    return {
      now: clock.now(),
      rollout,
      workload,
      children: workload && this.childrenOf(key, workload),
      alone,
      evidence: this.evidence?.get(key),
      reportedAt: this.applier.reportedAt(key, rollout),
      ...(labelsAgainAt === undefined ? {} : { labelsAgainAt }),
      ...(this.sources.labelsPods ? { labelsPods: true } : {}),
      digest: inRelease ? this.rememberedDigest : digest,
      sha256,
      ...this.evictionsOf(key),
      ...(unreached && { unreached }),
      ...(absence && { absence }),
      ...(routers.length > 0 && { routers }),
      ...(gate && { gate }),
    };
  }

  private routersOf(rollout: Rollout): readonly Rollout[] {
    const { rollouts } = this.sources;
    return [...new Set(routedKeys(rollout).flatMap((key) => rollouts.by('routed', key)))];
  }

  private absenceOf(kind: WorkloadKind): Absence | undefined {
    const collection = this.sources.workloads.get(kind);
    return collection ? collection.absence : { message: notEnabled(kind), gone: false };
  }

  /** The facts about a workload without a known Rollout. */
  orphan(key: string, workload: Workload): OrphanFacts {
    const gate = this.sources.policies?.gateOfOrphan(key, workload);
    const children = this.childrenOf(key, workload);
    return { now: this.sources.clock.now(), children, digest, sha256, ...(gate && { gate }) };
  }

  private evictionsOf(key: string): Pick<Snapshot, 'evicts' | 'evictions'> {
    const at = readKey(key);
    const may = 'kind' in at && this.sources.evicts?.(at.kind) === true;
    return may ? { evicts: true, evictions: this.applier.evictions.get(key) } : {};
  }

  /** Decides, and decides again with the facts that the decision asks for, which is rare. */
  async decide(key: string, workload: Workload | undefined, take: (found: Found) => Decision): Promise<Decision> {
    const asks = Object.keys(this.readers) as (keyof Asks)[];
    const read = new Set<keyof Asks>();
    let found: Found = {};
    for (;;) {
      const decision = take(found);
      const wanted = asks.filter((ask) => decision[ask] !== undefined && !read.has(ask));
      if (wanted.length === 0) return decision;
      for (const one of await Promise.all(wanted.map((ask) => this.read(ask, key, workload, decision))))
        found = { ...found, ...one };
      for (const ask of wanted) read.add(ask);
    }
  }

  /** Reads the Rollout from the API server, because with an outdated cache a held workload would be given back too early. */
  async rolloutExists(kind: WorkloadKind, { metadata }: Workload, name: string): Promise<boolean> {
    const { namespace } = metadata;
    // The name is from the record, which users can write.
    if (!isName(SUBDOMAIN_NAME, name)) return false;
    const rollout = await findObject<Rollout>(this.sources.api, ROLLOUTS, { namespace, name });
    const ref = rollout?.spec.workloadRef;
    return ref?.name === metadata.name && kindOf(ref) === kind;
  }

  private readonly readers: Readers = {
    needsCopy: async (key, name, workload) => {
      if (!workload) return {};
      const asked = { namespace: splitKey(key).namespace, name };
      const copy = await findObject<ControllerRevision>(this.sources.api, CONTROLLER_REVISIONS, asked);
      return { copy: copy !== undefined && isCopyOf(copy, workload) ? copy : null };
    },
    needsTraffic: async (key, ask) => ({ traffic: await this.traffic.read(key, ask) }),
  };

  private async read<Ask extends keyof Asks>(
    ask: Ask,
    key: string,
    workload: Workload | undefined,
    decision: Asks,
  ): Promise<Found> {
    const value = decision[ask] as Wanted[Ask] | undefined;
    return value === undefined ? {} : this.readers[ask](key, value, workload);
  }

  private childrenOf(key: string, workload: Workload): Snapshot['children'] {
    const children = this.children.get(key, workload, (object) => this.writes.seen(key, object));
    return children && { ...children, pods: children.pods.map((pod) => this.applier.evictions.see(key, pod)) };
  }

  private readonly rememberedDigest = (template: PodTemplate): TemplateDigest => {
    let text = this.digests.get(template);
    if (text === undefined) this.digests.set(template, (text = digest(template)));
    return text;
  };
}
