// Looks up policies in the caches, for admission and the operator.
import { HELD } from '../api/keys.ts';
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, KubeObject, Rollout } from '../api/types.ts';
import { isHeld } from '../engine/release/in-flight.ts';
import { mayRestore } from '../engine/release/completed.ts';
import { gateFor, hasBegun, openGate, orphanGate, type Gate } from '../engine/policy/gate.ts';
import type { Calendar } from '../engine/policy/windows.ts';
import { matching, type Labels } from '../engine/policy/policy.ts';
import type { Clock } from '../kube/api.ts';
import type { Collection } from '../kube/collection.ts';
import { digest } from '../kube/digest.ts';
import type { Reflector } from '../kube/reflector.ts';
import { keyOf, splitKey } from '../kube/store.ts';

export interface PolicyCaches {
  readonly policies: Reflector<ReleasePolicy>;
  readonly namespaces: Reflector<KubeObject>;
  readonly rollouts: Collection<Rollout>;
  /** Needs the index {@link heldIndex}. */
  readonly deployments: Collection<Deployment>;
}

/** Index of held Deployments by namespace and under `*`. */
export const heldIndex = ({ metadata }: Deployment): string[] =>
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

  /** Policies that select a Deployment in the namespace with any of these label sets. */
  policiesFor(namespace: string, workloadLabels: readonly Labels[]): ReleasePolicy[] {
    const { policies, namespaces, exempt } = this.deps;
    const namespaceLabels = namespaces.get(namespace)?.metadata.labels;
    return matching([...policies.store.values()], { namespace, namespaceLabels, workloadLabels }, exempt);
  }

  /** Number of Deployments in the namespace with a release in progress, except this one. */
  inFlight(namespace: string, except: string): number {
    return this.deps.deployments.by('held', namespace).filter(({ metadata }) => metadata.name !== except).length;
  }

  /** What policies require of the release of this Deployment now. */
  gate(key: string, rollout: Rollout, deployment: Deployment | undefined): Gate {
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

  /** The gate of a Deployment that is held by a deleted Rollout. */
  gateOfOrphan(key: string, deployment: Deployment): Gate {
    const policies = this.policiesFor(splitKey(key).namespace, [deployment.metadata.labels]);
    return orphanGate(policies);
  }

  /** Calls `wake` with the keys of held Deployments when their gate may have changed. Returns a function that stops it. */
  onChange(wake: (key: string) => void): () => void {
    const { policies, namespaces, deployments } = this.deps;
    const wakeAll = (inNamespace?: string): void => {
      for (const deployment of deployments.by('held', inNamespace ?? '*')) wake(keyOf(deployment));
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
      deployments.on(({ key, object, old, type }) => {
        const ended =
          old?.metadata.annotations?.[HELD] !== undefined && object.metadata.annotations?.[HELD] === undefined;
        if (!ended && type !== 'deleted') return;
        this.claims.delete(key);
        wakeAll(object.metadata.namespace);
      }),
    ];
    return () => ends.forEach((end) => end());
  }

  /** Number of other Deployments in the namespace whose release has started or may start. */
  private running(namespace: string, except: string): number {
    const { rollouts, deployments, clock } = this.deps;
    return deployments.by('held', namespace).filter((deployment) => {
      const key = keyOf(deployment);
      if (key === except) return false;
      const claimed = (this.claims.get(key) ?? 0) > clock.now();
      return claimed || rollouts.by('workload', `${namespace}/Deployment/${deployment.metadata.name}`).some(hasBegun);
    }).length;
  }
}
