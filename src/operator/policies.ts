// Policies in the shell: the caches they are looked up in, for admission and for the operator.
import { HELD } from '../api/keys.ts';
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, KubeObject, Rollout } from '../api/types.ts';
import { isHeld } from '../engine/release/in-flight.ts';
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
  /** With the index {@link heldIndex}. */
  readonly deployments: Collection<Deployment>;
}

/** Held Deployments, by namespace and under `*`. */
export const heldIndex = ({ metadata }: Deployment): string[] =>
  metadata.annotations?.[HELD] === undefined ? [] : ['*', metadata.namespace ?? ''];

export interface PolicyLookupDeps extends PolicyCaches {
  readonly calendar: Calendar;
  readonly clock: Clock;
  /** Namespaces that no policy reaches: kube-system, and our own. */
  readonly exempt: ReadonlySet<string>;
}

/** A release that was told it may begin counts until its status says so, at most for so long. */
const CLAIM_MS = 60_000;

export class PolicyLookup {
  private readonly deps: PolicyLookupDeps;
  /** Releases that were told they may begin: key → until when that counts. */
  private readonly claims = new Map<string, number>();

  constructor(deps: PolicyLookupDeps) {
    this.deps = deps;
  }

  /** Those that select a Deployment of the namespace with any of these sets of labels. */
  policiesFor(namespace: string, workloadLabels: readonly Labels[]): ReleasePolicy[] {
    const { policies, namespaces, exempt } = this.deps;
    const namespaceLabels = namespaces.get(namespace)?.metadata.labels;
    return matching([...policies.store.values()], { namespace, namespaceLabels, workloadLabels }, exempt);
  }

  /** Deployments of the namespace in a release, but for this one. */
  inFlight(namespace: string, except: string): number {
    return this.deps.deployments.by('held', namespace).filter(({ metadata }) => metadata.name !== except).length;
  }

  /** What policies say about the release of this Deployment now. */
  gate(key: string, rollout: Rollout, deployment: Deployment | undefined): Gate {
    const { clock, calendar } = this.deps;
    // One that is left may have a template in motion that no record tells of yet.
    const leaving = rollout.metadata.deletionTimestamp !== undefined || rollout.spec.disabled === true;
    if (deployment === undefined || !(isHeld(deployment) || leaving)) {
      this.claims.delete(key);
      return openGate;
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

  /** Held by a Rollout that does not exist any more. */
  gateOfOrphan(key: string, deployment: Deployment): Gate {
    const policies = this.policiesFor(splitKey(key).namespace, [deployment.metadata.labels]);
    return orphanGate(policies);
  }

  /** Tells the keys of held Deployments whenever what policies say may have changed. Returns how to stop. */
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
      // A release that ends makes room for another.
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

  /** Others of the namespace whose release has begun, or was told that it may. */
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
