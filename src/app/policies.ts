// Wires policies: their caches and calendar for webhooks and operator, and the reports of violations.
import { askAccess, askRights, readRouted, type AdmissionDeps, type PolicyReport } from '../admission/index.ts';
import type { KubeObject } from '../api/types.ts';
import type { EventReason } from '../api/reasons.ts';
import { inDoubt, startPolicyCaches, notSynced, type Caches } from './caches.ts';
import type { Config } from './config.ts';
import { matching } from '../engine/policy/policy.ts';
import { sameJson } from '../engine/lib/template.ts';
import { sentence } from '../engine/validate/violation.ts';
import type { Api } from '../kube/api.ts';
import { realClock as clock } from '../kube/clock.ts';
import type { Collection } from '../kube/collection.ts';
import type { EventRecorder } from '../kube/events.ts';
import { Proof } from '../admission/proof.ts';
import { PolicyLookup } from '../operator/policies.ts';
import { PolicyStatusWriter } from '../operator/policy-status.ts';
import { indexOf } from '../operator/workload.ts';
import { createCalendar } from '../schedule/calendar.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';

export interface PoliciesDeps {
  readonly config: Config;
  readonly api: Api;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly caches: Caches;
  /** Namespace of the program. */
  readonly namespace: string;
  readonly events: EventRecorder;
  /** True during a drain. No policy applies then. */
  readonly draining: () => boolean;
}

export interface Policies {
  readonly lookup: PolicyLookup;
  readonly namespaces: Collection<KubeObject>;
  readonly admission: Pick<AdmissionDeps, 'policy' | 'authorize' | 'lacking' | 'readRouted'>;
  /** What is missing before policies can be enforced. */
  readonly notReady: () => string | undefined;
  /** What may be out of date. */
  readonly doubt: () => string | undefined;
  stop(): Promise<void>;
}

const EVENT: Readonly<Record<PolicyReport['outcome'], EventReason>> = {
  denied: 'PolicyDenied',
  warned: 'PolicyWarned',
  audited: 'PolicyAudited',
  broken: 'GlassBroken',
};

export function startPolicies(deps: PoliciesDeps): Policies {
  const { config, api, logger, metrics, caches, namespace, events, draining } = deps;
  const { policies, namespaces } = startPolicyCaches({ api, logger, metrics });
  const calendar = createCalendar();
  const exempt = new Set(['kube-system', ...(config.webhookUrl ? [] : [namespace])]);
  const lookup = new PolicyLookup({ ...caches, policies, namespaces, calendar, clock, exempt });

  const verified = config.webhookClientCa !== undefined;
  const proof = new Proof({
    api,
    clock,
    verified,
    rollout: (inNamespace, name) => caches.rollouts.get(`${inNamespace}/${name}`),
    workload: (kind, inNamespace, name) => caches.workloads.get(kind)?.get(`${inNamespace}/${name}`),
  });

  const status = new PolicyStatusWriter({
    api,
    clock,
    logger,
    policies: () => policies.store.values(),
    counts(policy) {
      const enrolled = [...caches.workloads].flatMap(([kind, cache]) =>
        cache.by('enrolled', '*').map(({ metadata }) => ({ kind, metadata })),
      );
      const matched = enrolled.filter(({ metadata }) => {
        const namespaceLabels = namespaces.get(metadata.namespace ?? '')?.metadata.labels;
        const subject = { namespace: metadata.namespace ?? '', namespaceLabels, workloadLabels: [metadata.labels] };
        return matching([policy], subject, exempt).length > 0;
      });
      const rollouts = matched.filter(
        ({ kind, metadata }) =>
          caches.rollouts.by('workload', indexOf(kind, metadata.namespace ?? '', metadata.name)).length > 0,
      );
      return { deployments: matched.length, rollouts: rollouts.length };
    },
  });
  const ends = [
    policies.on(({ type, old, object }) => {
      if (type !== 'updated' || old?.metadata.generation !== object.metadata.generation) status.touch();
    }),
    namespaces.on(() => status.touch()),
    // Most updates are the progress of a release, which does not affect the counts.
    ...[...caches.workloads.values()].map((cache) =>
      cache.on(({ type, old, object }) => {
        if (type !== 'updated' || !sameJson(old?.metadata.labels, object.metadata.labels)) status.touch();
      }),
    ),
    caches.rollouts.on(({ type, old, object }) => {
      if (type !== 'updated' || !sameJson(old?.spec.workloadRef, object.spec.workloadRef)) status.touch();
    }),
  ];

  const report = ({ outcome, finding, about, user, request, breakGlass }: PolicyReport): void => {
    const { policy, rule } = finding;
    const because = breakGlass === undefined ? '' : ` (${breakGlass})`;
    const message = `policy ${policy.metadata.name}, ${user}${outcome === 'broken' ? because : ''}: ${sentence(finding)}`;
    metrics.policy(rule, outcome);
    logger.info('policy', { request, policy: policy.metadata.name, rule, outcome, user });
    // If callers are not authenticated, reviews may be forged. Then only the operator reports broken glass, from the annotation on the object.
    if (outcome === 'broken' && !verified) return;
    void proof.mayReport(about).then((may) => {
      if (!may) return;
      events.record({ about, type: 'Warning', reason: EVENT[outcome], message });
      if (outcome !== 'denied') return;
      const object = `${about.kind ?? ''} ${about.metadata.namespace ?? ''}/${about.metadata.name}`;
      status.note(policy.metadata.name, { object, rule, user, message: sentence(finding) });
    });
  };

  return {
    lookup,
    namespaces,
    admission: {
      policy: {
        policiesFor: (inNamespace, labels) => (draining() ? [] : lookup.policiesFor(inNamespace, labels)),
        inFlight: (inNamespace, except, kind) => lookup.inFlight(inNamespace, except, kind),
        calendar,
        now: clock.now,
        report,
      },
      ...(config.gatewayApi && {
        lacking: askRights(api, (inNamespace) => proof.mayLook(inNamespace)),
        readRouted: readRouted(api, (inNamespace) => proof.mayLook(inNamespace)),
      }),
      ...(config.approveVerb && { authorize: askAccess(api, (rollout) => proof.mayAsk(rollout)) }),
    },
    notReady: () => notSynced('ReleasePolicies', policies) ?? notSynced('Namespaces', namespaces),
    doubt: () => inDoubt('ReleasePolicies', policies) ?? inDoubt('Namespaces', namespaces),
    async stop() {
      for (const end of ends) end();
      await status.stop();
      await Promise.all([policies.stop(), namespaces.stop()]);
    },
  };
}
