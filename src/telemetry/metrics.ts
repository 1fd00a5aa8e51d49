// What the program counts. Every label's values come from a small fixed set, or are namespaces (500 at most): no names of users' objects.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';

export interface BuildInfo {
  readonly version: string;
}

export interface Metrics {
  /** The exposition, for /metrics. */
  text(): Promise<string>;
  readonly contentType: string;
  admission(webhook: string, verdict: string, seconds: number): void;
  reconcile(controller: string, result: string, seconds: number): void;
  /** Asked for whenever somebody reads the metrics. */
  watchQueue(controller: string, depth: () => number): void;
  /** An effect on a Deployment: mark, move, hold, trim, free. */
  budgetMove(move: string): void;
  bypass(): void;
  /** A rule of a policy did not hold: denied, warned, audited, or broken open. */
  policy(rule: string, outcome: string): void;
  approval(): void;
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
  /** A release ended; times in seconds. */
  release(namespace: string, outcome: string, seconds: number): void;
  /** The Pods of a step were all replaced. */
  step(seconds: number): void;
  /** A step that waits for people was let go on. */
  approvalWait(seconds: number): void;
  eventDropped(why: string): void;
  /** Spans of traces that are not sent: full, failed. */
  spansDropped(why: string, spans: number): void;
  certificateExpiry(certificate: 'ca' | 'serving', atMs: number): void;
  leader(leads: boolean): void;
}

/** A release takes minutes or days. */
const LONG_SECONDS = [10, 30, 60, 300, 900, 1800, 3600, 14_400, 43_200, 86_400, 259_200, 604_800];
/** Namespaces beyond these count as one, so that the number of series is bounded. */
const MAX_NAMESPACES = 500;
const OTHER_NAMESPACES = '(others)';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(build: BuildInfo): Metrics {
  const registry = new Registry();
  const of = definer(registry);
  collectDefaultMetrics({ register: registry });

  const admissionRequests = new Counter(
    of('tranche_admission_requests_total{webhook,verdict}', 'Requests of the API server to our webhooks.'),
  );
  const admissionSeconds = new Histogram({
    ...of('tranche_admission_duration_seconds{webhook}', 'Time from the request to our answer.'),
    buckets: SECONDS,
  });
  /** There are three webhooks: their labels need not be looked up each time. */
  const secondsOf = new Map<string, { observe(seconds: number): void }>();
  const reconciles = new Counter(
    of('tranche_reconciles_total{controller,result}', 'Pieces of work of a controller, by how they ended.'),
  );
  const reconcileSeconds = new Histogram({
    ...of('tranche_reconcile_duration_seconds{controller}', 'Time a piece of work took.'),
    buckets: SECONDS,
  });
  const depths = new Map<string, () => number>();
  new Gauge({
    ...of('tranche_queue_depth{controller}', 'Keys that wait for a worker now.'),
    collect() {
      for (const [controller, depth] of depths) this.set({ controller }, depth());
    },
  });
  const budgetMoves = new Counter(
    of('tranche_budget_moves_total{move}', 'Writes to a Deployment that hold it, move it or give it back.'),
  );
  const policyFindings = new Counter(
    of('tranche_policy_findings_total{rule,outcome}', 'Changes against a rule of a ReleasePolicy, by what came of it.'),
  );
  const approvals = new Counter(of('tranche_approvals_total', 'Steps that went on because people approved them.'));
  const bypasses = new Counter(
    of('tranche_bypasses_total', 'Template changes that no webhook saw, found and held by the operator.'),
  );
  const watchRestarts = new Counter(
    of('tranche_watch_restarts_total{resource,reason}', 'Watches opened again for another reason than their time.'),
  );
  const watchDrift = new Counter(
    of('tranche_watch_drift_objects_total{resource}', 'Objects whose change no watch had told, found by comparison.'),
  );
  const releases = new Counter(of('tranche_releases_total{outcome}', 'Releases that ended.'));
  const releaseSeconds = new Histogram({
    ...of('tranche_release_duration_seconds{outcome}', 'From the begin of a release to its end, waits included.'),
    buckets: LONG_SECONDS,
  });
  const stepSeconds = new Histogram({
    ...of('tranche_step_duration_seconds', 'Time in which the Pods of a step were replaced.'),
    buckets: LONG_SECONDS,
  });
  const approvalSeconds = new Histogram({
    ...of('tranche_approval_wait_seconds', 'Time that a finished step waited for approval.'),
    buckets: LONG_SECONDS,
  });
  const dora = doraMetrics(of);
  const eventsDropped = new Counter(of('tranche_events_dropped_total{why}', 'Kubernetes Events that were left out.'));
  const spansDropped = new Counter(of('tranche_spans_dropped_total{why}', 'Spans of traces that were left out.'));
  const expiry = new Gauge(
    of('tranche_certificate_expiry_timestamp_seconds{certificate}', 'When the certificate ends, since the epoch.'),
  );
  const leader = new Gauge(of('tranche_leader', '1 when this process leads.'));
  leader.set(0);
  const info = new Gauge(of('tranche_build_info{version,node}', '1; what is running is in the labels.'));
  info.set({ version: build.version, node: process.version }, 1);

  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    admission(webhook, verdict, seconds) {
      admissionRequests.inc({ webhook, verdict });
      let histogram = secondsOf.get(webhook);
      if (!histogram) secondsOf.set(webhook, (histogram = admissionSeconds.labels(webhook)));
      histogram.observe(seconds);
    },
    reconcile(controller, result, seconds) {
      reconciles.inc({ controller, result });
      reconcileSeconds.observe({ controller }, seconds);
    },
    watchQueue: (controller, depth) => void depths.set(controller, depth),
    budgetMove: (move) => budgetMoves.inc({ move }),
    bypass: () => bypasses.inc(),
    policy: (rule, outcome) => policyFindings.inc({ rule, outcome }),
    approval: () => approvals.inc(),
    watchRestart: (resource, reason) => watchRestarts.inc({ resource, reason }),
    watchDrift: (resource, objects) => watchDrift.inc({ resource }, objects),
    release(namespace, outcome, seconds) {
      releases.inc({ outcome });
      releaseSeconds.observe({ outcome }, seconds);
      dora(namespace, outcome, seconds);
    },
    step: (seconds) => stepSeconds.observe(seconds),
    approvalWait: (seconds) => approvalSeconds.observe(seconds),
    eventDropped: (why) => eventsDropped.inc({ why }),
    spansDropped: (why, spans) => spansDropped.inc({ why }, spans),
    certificateExpiry: (certificate, atMs) => expiry.set({ certificate }, Math.floor(atMs / 1000)),
    leader: (leads) => leader.set(leads ? 1 : 0),
  };
}

type Definition = ReturnType<ReturnType<typeof definer>>;

/** What all kinds of metrics are made from; labels as in `name{label,label}`. */
const definer = (registry: Registry) => (what: string, help: string) => {
  const [name = '', labels = ''] = what.split(/[{}]/);
  return { name, help, labelNames: labels.split(',').filter(Boolean), registers: [registry] };
};

/**
 * The four DORA figures as far as a cluster can know them: how often, how long from the admission of a change to its last Pod, how often
 * a change fails, and how long until what ran before runs again.
 */
function doraMetrics(
  of: (what: string, help: string) => Definition,
): (namespace: string, outcome: string, seconds: number) => void {
  const deployments = new Counter(of('tranche_dora_deployments_total{namespace}', 'Releases that went through.'));
  const failures = new Counter(
    of('tranche_dora_failures_total{namespace}', 'Releases that were rolled back, by people or by onFailure.'),
  );
  const leadTime = new Summary({
    ...of('tranche_dora_lead_time_seconds{namespace}', 'From the admission of a change to its last Pod.'),
    percentiles: [],
  });
  const restore = new Summary({
    ...of(
      'tranche_dora_restore_seconds{namespace}',
      'From the admission of a failed change to the end of its rollback.',
    ),
    percentiles: [],
  });
  const known = new Set<string>();
  return (name, outcome, seconds) => {
    if (known.size < MAX_NAMESPACES) known.add(name);
    const namespace = known.has(name) ? name : OTHER_NAMESPACES;
    if (outcome === 'Completed') {
      deployments.inc({ namespace });
      leadTime.observe({ namespace }, seconds);
    } else if (outcome === 'RolledBack' || outcome === 'Failed') {
      failures.inc({ namespace });
      restore.observe({ namespace }, seconds);
    }
  };
}
