// Looks up policies in the caches, for admission and the operator.
import { HELD } from '../api/keys.ts';
import type { ReleasePolicy } from '../api/policy.ts';
import type { KubeObject, Rollout, Workload } from '../api/types.ts';
import { isHeld } from '../engine/release/in-flight.ts';
import { mayRestore } from '../engine/release/completed.ts';
import { gateFor, hasBegun, openGate, orphanGate, type Gate } from '../engine/policy/gate.ts';
import type { Calendar } from '../engine/policy/windows.ts';
import { matching, type Labels } from '../engine/policy/policy.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import type { Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import { digest } from '../kube/digest.ts';
import type { Reflector } from '../kube/reflector.ts';
import { splitKey } from '../kube/store.ts';
import type { Workloads } from './facts.ts';
import { indexOf, keyFor } from './workload.ts';

export interface PolicyCaches {
  readonly policies: Reflector<ReleasePolicy>;
  readonly namespaces: Reflector<KubeObject>;
  readonly rollouts: Collection<Rollout>;
  /** Need the index {@link heldIndex}. */
  readonly workloads: Workloads;
}

/** Index of held workloads by namespace and under `*`. */
export const heldIndex = ({ metadata }: Workload): string[] =>
  metadata.annotations?.[HELD] === undefined ? [] : ['*', metadata.namespace ?? ''];

export interface PolicyLookupDeps extends PolicyCaches {
  readonly calendar: Calendar;
  readonly clock: Clock;
  /** Namespaces without policies: kube-system and that of the program. */
  readonly exempt: ReadonlySet<string>;
}

/** A release that may start counts as running until its status shows it, at most for this time. */
const CLAIM_MS = 60_000;

export class PolicyLookup {
  private readonly deps: PolicyLookupDeps;
  /** Releases that may start: key → end of the claim, in milliseconds. */
  private readonly claims = new Map<string, number>();

  constructor(deps: PolicyLookupDeps) {
    this.deps = deps;
  }

  /** False until all policies and namespaces are known, and after a restored backup until they are listed again. */
  get synced(): boolean {
    return this.deps.policies.synced && this.deps.namespaces.synced;
  }

  /** Resolves with true when it is synced, or with false if it is stopped before. */
  async whenSynced(): Promise<boolean> {
    const { policies, namespaces } = this.deps;
    return !(await Promise.all([policies.whenSynced(), namespaces.whenSynced()])).includes(false);
  }

  /** Policies that select a workload in the namespace with any of these label sets. */
  policiesFor(namespace: string, workloadLabels: readonly Labels[]): ReleasePolicy[] {
    const { policies, namespaces, exempt } = this.deps;
    const namespaceLabels = namespaces.get(namespace)?.metadata.labels;
    return matching([...policies.store.values()], { namespace, namespaceLabels, workloadLabels }, exempt);
  }

  /** Number of workloads in the namespace with a release in progress, except this one. */
  inFlight(namespace: string, except: string, kind: WorkloadKind): number {
    return this.held(namespace).filter((one) => one.kind !== kind || one.workload.metadata.name !== except).length;
  }

  /** What policies require of the release of this workload now. */
  gate(key: string, rollout: Rollout, deployment: Workload | undefined): Gate {
    const { clock, calendar } = this.deps;
    // A deleted or disabled Rollout may have a changed template that is not held yet.
    const leaving = rollout.metadata.deletionTimestamp !== undefined || rollout.spec.disabled === true;
    if (deployment === undefined || !(isHeld(deployment) || leaving)) {
      this.claims.delete(key);
      if (deployment === undefined || !mayRestore(rollout)) return openGate;
      return { ...openGate, policies: this.policiesFor(splitKey(key).namespace, [deployment.metadata.labels]) };
    }
    const { namespace } = splitKey(key);
    const policies = this.policiesFor(namespace, [deployment.metadata.labels]);
    const running = (): number => this.running(namespace, key);
    const gate = gateFor({ policies, rollout, deployment, now: clock.now(), calendar, digest, running });
    const limited = policies.some(({ spec }) => spec.maxConcurrentReleases !== undefined);
    if (limited && gate.blocked === undefined && !hasBegun(rollout)) {
      this.claims.set(key, clock.now() + CLAIM_MS);
    }
    return gate;
  }

  /** The gate of a workload that is held by a deleted Rollout. */
  gateOfOrphan(key: string, deployment: Workload): Gate {
    const policies = this.policiesFor(splitKey(key).namespace, [deployment.metadata.labels]);
    return orphanGate(policies);
  }

  /** Calls `wake` with the keys of held workloads when their gate may have changed. Returns a function that stops it. */
  onChange(wake: (key: string) => void): () => void {
    const { policies, namespaces, workloads } = this.deps;
    const wakeAll = (inNamespace?: string): void => {
      for (const { key } of this.held(inNamespace ?? '*')) wake(key);
    };
    const ends = [
      policies.on(({ old, object }) => {
        if (JSON.stringify(old?.spec) !== JSON.stringify(object.spec) || old === undefined) wakeAll();
      }),
      namespaces.on(({ old, object }) => {
        const changed = JSON.stringify(old?.metadata.labels) !== JSON.stringify(object.metadata.labels);
        if (changed) wakeAll(object.metadata.name);
      }),
      // When a release ends, another one may start.
      ...[...workloads].map(([kind, collection]) =>
        collection.on(({ object, old, type }) => {
          const ended =
            old?.metadata.annotations?.[HELD] !== undefined && object.metadata.annotations?.[HELD] === undefined;
          if (!ended && type !== 'deleted') return;
          this.claims.delete(keyOf(kind, object));
          wakeAll(object.metadata.namespace);
        }),
      ),
    ];
    return () => ends.forEach((end) => end());
  }

  /** Number of other workloads in the namespace whose release has started or may start. */
  private running(namespace: string, except: string): number {
    const { rollouts, clock } = this.deps;
    return this.held(namespace).filter(({ kind, key, workload }) => {
      if (key === except) return false;
      const claimed = (this.claims.get(key) ?? 0) > clock.now();
      return claimed || rollouts.by('workload', indexOf(kind, namespace, workload.metadata.name)).some(hasBegun);
    }).length;
  }

  /** The held workloads in a namespace, or in all (`*`). */
  private held(
    namespace: string,
  ): { readonly kind: WorkloadKind; readonly key: string; readonly workload: Workload }[] {
    return [...this.deps.workloads].flatMap(([kind, collection]) =>
      collection.by('held', namespace).map((workload) => ({ kind, key: keyOf(kind, workload), workload })),
    );
  }
}

const keyOf = (kind: WorkloadKind, { metadata }: Workload): string =>
  keyFor(kind, metadata.namespace ?? '', metadata.name);
