// Broken engines, each of which violates an invariant of traffic: what the random histories must find out.
import { MANAGED_BY, SERVICE_NAME, TRAFFIC } from '../../src/api/keys.ts';
import { SERVICES } from '../../src/api/resources.ts';
import type { EndpointSlice, RouteRule, Service } from '../../src/api/traffic.ts';
import type { CanaryStep, Pod, Rollout } from '../../src/api/types.ts';
import { decide } from '../../src/engine/decide.ts';
import type { Decision, Effect } from '../../src/engine/decision.ts';
import type { PatchOp } from '../../src/engine/lib/json-patch.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { SLICE_CONTROLLER } from '../../src/engine/traffic/endpoints.ts';

/** The engine, told that proxies need no time. */
export function hasty(snapshot: Snapshot): Decision {
  const { status } = snapshot.rollout;
  const traffic = status?.canaryStatus?.traffic;
  if (!status?.canaryStatus || !traffic) return decide(snapshot);
  const long = { ...traffic, since: '2026-01-01T00:00:00Z', graceSeconds: 1 };
  const rollout = {
    ...snapshot.rollout,
    status: { ...status, canaryStatus: { ...status.canaryStatus, traffic: long } },
  };
  return decide({ ...snapshot, rollout });
}

/** The engine, which knows nothing of traffic when the stable template is put back. */
export function careless(snapshot: Snapshot): Decision {
  const { rollout, workload, digest } = snapshot;
  const canary = rollout.status?.canaryStatus;
  if (!workload || !canary?.traffic || digest(workload.spec.template) !== canary.stableDigest) return decide(snapshot);
  const { traffic: _, ...rest } = canary;
  const { [TRAFFIC]: __, ...annotations } = workload.metadata.annotations ?? {};
  return decide({
    ...snapshot,
    rollout: { ...rollout, status: { ...rollout.status!, canaryStatus: rest } },
    workload: { ...workload, metadata: { ...workload.metadata, annotations } },
  });
}

/** The engine, with other effects. */
const changed = (snapshot: Snapshot, change: (effect: Effect) => readonly Effect[]): Decision => {
  const decision = decide(snapshot);
  return { ...decision, effects: decision.effects.flatMap(change) };
};

export function greedy(snapshot: Snapshot): Decision {
  const base = snapshot.traffic?.base;
  return changed(snapshot, (effect) =>
    effect.kind !== 'Create' || effect.why !== 'service' || !base
      ? [effect]
      : [
          effect,
          {
            kind: 'Patch',
            why: 'service',
            resource: SERVICES,
            before: base,
            patch: { metadata: { labels: { x: 'y' } } },
          },
        ],
  );
}

/** Changes the rules of each write of a route. */
const rewriting =
  (write: (rules: readonly RouteRule[]) => readonly RouteRule[]) =>
  (snapshot: Snapshot): Decision =>
    changed(snapshot, (effect) => {
      if (effect.kind !== 'Patch' || effect.why !== 'route' || !Array.isArray(effect.patch)) return [effect];
      const ops = (effect.patch as readonly PatchOp[]).map((op) =>
        op.path === '/spec/rules' && op.op !== 'remove'
          ? { ...op, value: write(op.value as readonly RouteRule[]) }
          : op,
      );
      return [{ ...effect, patch: ops }];
    });

export function silent(snapshot: Snapshot): Decision {
  return rewriting((rules) =>
    rules.map((rule) => ({ ...rule, backendRefs: (rule.backendRefs ?? []).map((ref) => ({ ...ref, weight: 0 })) })),
  )(snapshot);
}

export function generous(snapshot: Snapshot): Decision {
  return rewriting((rules) =>
    rules.map((rule) => ({
      ...rule,
      backendRefs: (rule.backendRefs ?? []).map((ref) =>
        ref.name === 'demo-canary' && (ref.weight ?? 1) > 0 ? { ...ref, weight: 3 * (ref.weight ?? 1) } : ref,
      ),
    })),
  )(snapshot);
}

/** The engine, which sees the user's own route whatever the route is: it repoints a leg at once. */
export function restless(snapshot: Snapshot): Decision {
  const { traffic, workload, digest, rollout } = snapshot;
  const status = rollout.status?.canaryStatus;
  if (!traffic?.route || !workload || status?.templateDigest === digest(workload.spec.template))
    return decide(snapshot);
  const rules = [{ backendRefs: [{ name: 'demo', port: 80 }] }];
  const { labels: _, annotations: __, ...metadata } = traffic.route.metadata;
  const decision = decide({
    ...snapshot,
    traffic: { ...traffic, route: { ...traffic.route, metadata, spec: { rules } } },
  });
  const leg = traffic.legs.canary;
  if (!leg) return decision;
  const patch = { metadata: {}, spec: { selector: { 'pod-template-hash': 'other' } } };
  return {
    ...decision,
    effects: [...decision.effects, { kind: 'Patch', why: 'service', resource: SERVICES, before: leg, patch }],
  };
}

export function untidy(snapshot: Snapshot): Decision {
  const decision = decide({
    ...snapshot,
    ...(snapshot.traffic && { traffic: { ...snapshot.traffic, legs: LESS(snapshot) } }),
  });
  return decision;
}
/** The legs are not there when they are to be deleted. */
const LESS = ({ traffic, rollout }: Snapshot): NonNullable<Snapshot['traffic']>['legs'] => {
  const state = rollout.status?.canaryStatus?.traffic?.state;
  const legs = traffic?.legs ?? { canary: null, stable: null };
  return state === 'Unroute' ? { canary: null, stable: null } : legs;
};

export function eager(snapshot: Snapshot): Decision {
  return changed(snapshot, (effect) =>
    effect.kind === 'Patch' &&
    effect.why === 'route' &&
    snapshot.rollout.status?.canaryStatus?.traffic?.state === 'Watch'
      ? [{ kind: 'Delete', why: 'service', resource: SERVICES, name: 'demo-canary', owner: snapshot.rollout }, effect]
      : [effect],
  );
}

/** The engine, with other rules in each of its writes of a route. */
export function greedyFor(service: string): (snapshot: Snapshot) => Decision {
  return rewriting((rules) =>
    rules.map((rule) => ({
      ...rule,
      backendRefs: (rule.backendRefs ?? []).map((ref) => (ref.name === service ? { ...ref, weight: 1 } : ref)),
    })),
  );
}

/** The engine, which believes of each leg that the Pods of its version are ready, and goes on to the traffic of a step at once. */
export function credulous(): (snapshot: Snapshot) => Decision {
  return (snapshot) => {
    const { traffic, children, rollout } = snapshot;
    const { status } = rollout;
    const canary = status?.canaryStatus;
    const ahead =
      canary?.currentStepState === 'StepUpgrade' &&
      children?.pods.some(({ metadata }) => metadata.labels?.['pod-template-hash'] !== canary.stableRevision)
        ? {
            ...rollout,
            status: { ...status!, canaryStatus: { ...canary, currentStepState: 'StepTrafficRouting' as const } },
          }
        : rollout;
    const slices =
      traffic && Object.values(traffic.legs).flatMap((leg) => (leg ? [sliceOf(leg, children?.pods ?? [])] : []));
    return decide({ ...snapshot, rollout: ahead, ...(traffic && { traffic: { ...traffic, slices } }) });
  };
}

const sliceOf = ({ metadata, spec }: Service, pods: readonly Pod[]): EndpointSlice => ({
  metadata: {
    name: metadata.name,
    labels: { [SERVICE_NAME]: metadata.name, [MANAGED_BY]: SLICE_CONTROLLER },
    ownerReferences: [
      { apiVersion: 'v1', kind: 'Service', name: metadata.name, uid: metadata.uid ?? '', controller: true },
    ],
  },
  endpoints: pods
    .filter((pod) => pod.metadata.labels?.['pod-template-hash'] === spec.selector?.['pod-template-hash'])
    .map((pod) => ({ conditions: { ready: true }, targetRef: { kind: 'Pod', uid: pod.metadata.uid ?? '' } })),
});

/** The engine, which gives back the rules that it has seen first. */
export function forgetful(): (snapshot: Snapshot) => Decision {
  let first: readonly RouteRule[] | undefined;
  return (snapshot) => {
    const route = snapshot.traffic?.route;
    if (route?.metadata.labels?.[TRAFFIC] === undefined) first ??= route?.spec.rules;
    const isLast = (ops: readonly PatchOp[]): boolean =>
      ops.some(({ op, path }) => op === 'remove' && path.startsWith('/metadata/annotations'));
    return changed(snapshot, (effect) =>
      effect.kind === 'Patch' &&
      effect.why === 'route' &&
      Array.isArray(effect.patch) &&
      isLast(effect.patch as readonly PatchOp[])
        ? [
            {
              ...effect,
              patch: (effect.patch as readonly PatchOp[]).map((op) =>
                op.path === '/spec/rules' ? { ...op, value: first } : op,
              ),
            },
          ]
        : [effect],
    );
  };
}

/** The engine, which knows no traffic until the Pods of a step are there. */
export function mixing(snapshot: Snapshot): Decision {
  const { rollout } = snapshot;
  const state = rollout.status?.canaryStatus?.currentStepState;
  const starts = state === 'BeforeStepUpgrade' || state === 'StepUpgrade';
  return decide(starts ? { ...snapshot, rollout: withSteps(rollout, ({ traffic: _, ...step }) => step) } : snapshot);
}

/** The engine, for which a step asks for what the step before did until its Pods are there. */
export function sluggish(snapshot: Snapshot): Decision {
  const { rollout } = snapshot;
  const { currentStepState, currentStepIndex = 0 } = rollout.status?.canaryStatus ?? {};
  if (currentStepState !== 'StepUpgrade') return decide(snapshot);
  return decide({
    ...snapshot,
    rollout: withSteps(rollout, (step, index, all) =>
      index === currentStepIndex - 1 && index > 0 && step.traffic ? { ...step, ...traffic(all[index - 1]) } : step,
    ),
  });
}
const traffic = (step: CanaryStep | undefined): Pick<CanaryStep, 'traffic'> =>
  step?.traffic === undefined ? {} : { traffic: step.traffic };

function withSteps(
  rollout: Rollout,
  change: (step: CanaryStep, index: number, all: readonly CanaryStep[]) => CanaryStep,
): Rollout {
  const { strategy } = rollout.spec;
  const steps = strategy.canary?.steps ?? [];
  return {
    ...rollout,
    spec: { ...rollout.spec, strategy: { ...strategy, canary: { ...strategy.canary, steps: steps.map(change) } } },
  };
}

/** The engine, whose second weight of the canary leg is half of the first. */
export function wavering(): (snapshot: Snapshot) => Decision {
  let given = 0;
  return rewriting((rules) => {
    const gets = rules.some(({ backendRefs = [] }) =>
      backendRefs.some(({ name, weight = 1 }) => name === 'demo-canary' && weight > 0),
    );
    if (!gets || ++given < 2) return rules;
    return rules.map((rule) => ({
      ...rule,
      backendRefs: (rule.backendRefs ?? []).map((ref) => (ref.name === 'demo-canary' ? { ...ref, weight: 1 } : ref)),
    }));
  });
}
