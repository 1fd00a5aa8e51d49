// Reads the facts that the engine decides on: Rollouts, the workload, its children, and what a decision asks for.
import { HELD } from '../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../api/names.ts';
import { CONTROLLER_REVISIONS, ROLLOUTS } from '../api/resources.ts';
import type { ControllerRevision, PodTemplate, Rollout, TemplateDigest, Workload } from '../api/types.ts';
import type { Asks, Decision } from '../engine/decision.ts';
import type { Found, Snapshot } from '../engine/snapshot.ts';
import type { OrphanFacts } from '../engine/release/finalize.ts';
import type { Violation } from '../engine/validate/violation.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import { isOwnedBy } from '../engine/workload/pods.ts';
import type { Api, Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import { digest, sha256 } from '../kube/digest.ts';
import { findObject } from '../kube/get.ts';
import { splitKey } from '../kube/store.ts';
import type { Applier } from './apply.ts';
import type { ChildWatches } from './children.ts';
import type { MutationCache } from './mutation-cache.ts';
import type { PolicyLookup } from './policies.ts';
import { readKey, workloadKey, type WorkloadName } from './workload.ts';

/** One collection for each supported kind. */
export type Workloads = ReadonlyMap<WorkloadKind, Collection<Workload>>;

/** Where facts come from. */
export interface FactSources {
  readonly api: Api;
  readonly clock: Clock;
  /** All Rollouts in v1beta1, with the index `workload` (`<namespace>/<kind>/<name>` of the workload). */
  readonly rollouts: Collection<Rollout>;
  /** For each kind, the workloads with the label `rollouts.kruise.io/workload-type`. */
  readonly workloads: Workloads;
  /** Why changes in a namespace are not held. Without it, the webhooks select all namespaces. */
  readonly unreached?: (namespace: string) => Violation | undefined;
  /** Without it, there are no policies. */
  readonly policies?: PolicyLookup;
}

/**
 * How to read each fact that a decision asks for. A new fact, such as routes, is an optional key of `Asks` and of `Found`, and a method here: the
 * compiler asks for it.
 */
type Readers = {
  readonly [Ask in keyof Asks]-?: (key: string, workload: Workload, ask: NonNullable<Asks[Ask]>) => Promise<Found>;
};

export class Facts {
  private readonly sources: FactSources;
  private readonly writes: MutationCache;
  private readonly children: ChildWatches;
  private readonly applier: Pick<Applier, 'reportedAt' | 'labelsAgainAt'>;
  /** Digests of templates in a release. Caching the others at start-up would fill V8's old generation. */
  private readonly digests = new WeakMap<PodTemplate, TemplateDigest>();

  constructor(
    sources: FactSources,
    writes: MutationCache,
    children: ChildWatches,
    applier: Pick<Applier, 'reportedAt' | 'labelsAgainAt'>,
  ) {
    this.sources = sources;
    this.writes = writes;
    this.children = children;
    this.applier = applier;
  }

  /** False after a restored backup: the caches are invalid until they are listed again. */
  get synced(): boolean {
    const { rollouts, workloads } = this.sources;
    return rollouts.synced && [...workloads.values()].every(({ synced }) => synced);
  }

  rolloutsOf(key: string): Rollout[] {
    const { rollouts } = this.sources;
    const at = readKey(key);
    const found =
      'misnamed' in at
        ? [rollouts.get(`${at.namespace}/${at.misnamed}`)].filter((one) => one !== undefined)
        : rollouts.by('workload', `${at.namespace}/${at.kind.resource.kind}/${at.name}`);
    // A Rollout with another workload has another key.
    return found.filter((one) => workloadKey(one) === key).map((one) => this.writes.newest(key, one));
  }

  /** The workload from the cache, or from the API server if a Rollout names it and it is not enrolled yet. */
  async workload(key: string, at: WorkloadName, isNamed: boolean): Promise<Workload | undefined> {
    const { kind, namespace, name } = at;
    const known = this.sources.workloads.get(kind)?.get(`${namespace}/${name}`);
    if (known) return this.writes.newest(key, known);
    return isNamed ? findObject<Workload>(this.sources.api, kind.resource, { namespace, name }) : undefined;
  }

  snapshot(key: string, rollout: Rollout, workload: Workload | undefined, alone: boolean): Snapshot {
    const { clock, policies } = this.sources;
    const gate = policies?.gate(key, rollout, workload);
    const labelsAgainAt = this.applier.labelsAgainAt(key);
    const inRelease = workload?.metadata.annotations?.[HELD] !== undefined;
    const unreached = this.sources.unreached?.(splitKey(key).namespace);
    return {
      now: clock.now(),
      rollout,
      workload,
      children: workload && this.childrenOf(key, workload),
      alone,
      reportedAt: this.applier.reportedAt(key, rollout),
      ...(labelsAgainAt === undefined ? {} : { labelsAgainAt }),
      digest: inRelease ? this.rememberedDigest : digest,
      sha256,
      ...(unreached && { unreached }),
      ...(gate && { gate }),
    };
  }

  /** The facts about a workload without a known Rollout. */
  orphan(key: string, workload: Workload): OrphanFacts {
    const gate = this.sources.policies?.gateOfOrphan(key, workload);
    const children = this.childrenOf(key, workload);
    return { now: this.sources.clock.now(), children, digest, sha256, ...(gate && { gate }) };
  }

  /** Decides, and decides again with the facts that the decision asks for, which is rare. */
  async decide(key: string, workload: Workload | undefined, take: (found: Found) => Decision): Promise<Decision> {
    const decision = take({});
    if (!workload) return decision;
    const asks = Object.keys(this.readers) as (keyof Asks)[];
    const found = await Promise.all(asks.map((ask) => this.read(ask, key, workload, decision)));
    return found.some((one) => one) ? take(Object.assign({}, ...found)) : decision;
  }

  /** Reads the Rollout from the API server, because with an outdated cache a held workload would be given back too early. */
  async rolloutExists({ metadata }: Workload, name: string): Promise<boolean> {
    const { namespace } = metadata;
    // The name is from the record, which users can write.
    if (!isName(SUBDOMAIN_NAME, name)) return false;
    const rollout = await findObject<Rollout>(this.sources.api, ROLLOUTS, { namespace, name });
    return rollout?.spec.workloadRef.name === metadata.name;
  }

  private readonly readers: Readers = {
    needsCopy: async (key, workload, name) => {
      const asked = { namespace: splitKey(key).namespace, name };
      const copy = await findObject<ControllerRevision>(this.sources.api, CONTROLLER_REVISIONS, asked);
      return { copy: copy !== undefined && isOwnedBy(copy, workload) ? copy : null };
    },
  };

  private async read<Ask extends keyof Asks>(
    ask: Ask,
    key: string,
    workload: Workload,
    decision: Asks,
  ): Promise<Found | undefined> {
    const value = decision[ask];
    return value === undefined || value === null ? undefined : this.readers[ask](key, workload, value);
  }

  private childrenOf(key: string, workload: Workload): Snapshot['children'] {
    return this.children.get(key, workload, (object) => this.writes.newest(key, object));
  }

  private readonly rememberedDigest = (template: PodTemplate): TemplateDigest => {
    let text = this.digests.get(template);
    if (text === undefined) this.digests.set(template, (text = digest(template)));
    return text;
  };
}
