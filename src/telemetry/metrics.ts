// The Prometheus metrics. The values of each label are from a small fixed set, or namespaces (500 at most), never names of users' objects.
import { performance } from 'node:perf_hooks';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';

export interface BuildInfo {
  readonly version: string;
}

/** A check of a release in progress. */
export interface CheckLabels {
  readonly namespace: string;
  readonly verdict: string;
}

export interface Metrics {
  /** The text of /metrics. */
  text(): Promise<string>;
  readonly contentType: string;
  admission(webhook: string, verdict: string, seconds: number): void;
  reconcile(controller: string, result: string, seconds: number): void;
  /** `depth` is called for each scrape. */
  watchQueue(controller: string, depth: () => number): void;
  /** An effect on a workload: mark, move, hold, trim, free. */
  budgetMove(move: string): void;
  bypass(): void;
  /** A check looked at its source. Results: seen, unknown. */
  look(result: string): void;
  /** `checks` is called for each scrape. */
  watchChecks(checks: () => Iterable<CheckLabels>): void;
  /** A change violated a rule of a policy. Outcomes: denied, warned, audited, broken. */
  policy(rule: string, outcome: string): void;
  approval(): void;
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
  /** A release ended. The duration is in seconds. */
  release(namespace: string, outcome: string, seconds: number): void;
  /** All Pods of a step were replaced. */
  step(seconds: number): void;
  /** A step that waited for approval was approved. */
  approvalWait(seconds: number): void;
  eventDropped(why: string): void;
  /** Spans that were not sent. Reasons: full, failed. */
  spansDropped(why: string, spans: number): void;
  certificateExpiry(certificate: 'ca' | 'serving', atMs: number): void;
  leader(leads: boolean): void;
}

/** Buckets for releases, which take minutes to days. */
const LONG_SECONDS = [10, 30, 60, 300, 900, 1800, 3600, 14_400, 43_200, 86_400, 259_200, 604_800];
/** Further namespaces share one label value, so that the number of series is bounded. */
const MAX_NAMESPACES = 500;
/** Of setTimeout, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const OTHER_NAMESPACES = '(others)';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createMetrics(build: BuildInfo): Metrics {
  const registry = new Registry();
  const of = definer(registry);
  collectNodeMetrics(registry);

  const admissionRequests = new Counter(
    of('tranche_admission_requests_total{webhook,verdict}', 'Number of admission requests from the API server.'),
  );
  const admissionSeconds = new Histogram({
    ...of('tranche_admission_duration_seconds{webhook}', 'Duration of admission requests.'),
    buckets: SECONDS,
  });
  /** Caches of the series, to avoid a lookup of labels for each request. */
  const requestsOf = new Map<string, { inc(): void }>();
  const secondsOf = new Map<string, { observe(seconds: number): void }>();
  const reconciles = new Counter(
    of('tranche_reconciles_total{controller,result}', 'Number of reconciliations by controller and result.'),
  );
  const reconcileSeconds = new Histogram({
    ...of('tranche_reconcile_duration_seconds{controller}', 'Duration of reconciliations.'),
    buckets: SECONDS,
  });
  const depths = new Map<string, () => number>();
  new Gauge({
    ...of('tranche_queue_depth{controller}', 'Number of keys that wait for a worker.'),
    collect() {
      for (const [controller, depth] of depths) this.set({ controller }, depth());
    },
  });
  const budgetMoves = new Counter(
    of('tranche_budget_moves_total{move}', 'Number of writes that hold a workload, move it or give it back.'),
  );
  const policyFindings = new Counter(
    of(
      'tranche_policy_findings_total{rule,outcome}',
      'Number of changes that violated a rule of a ReleasePolicy, by outcome.',
    ),
  );
  const approvals = new Counter(of('tranche_approvals_total', 'Number of approved steps.'));
  const bypasses = new Counter(
    of('tranche_bypasses_total', 'Number of template changes that bypassed the webhook and were held by the operator.'),
  );
  const watchRestarts = new Counter(
    of('tranche_watch_restarts_total{resource,reason}', 'Number of watches that were reopened before their timeout.'),
  );
  const watchDrift = new Counter(
    of(
      'tranche_watch_drift_objects_total{resource}',
      'Number of changed objects that a watch missed and a comparison found.',
    ),
  );
  const releases = new Counter(of('tranche_releases_total{outcome}', 'Number of releases that ended.'));
  const releaseSeconds = new Histogram({
    ...of('tranche_release_duration_seconds{outcome}', 'Duration of releases, including waits.'),
    buckets: LONG_SECONDS,
  });
  const stepSeconds = new Histogram({
    ...of('tranche_step_duration_seconds', 'Time to replace the Pods of a step.'),
    buckets: LONG_SECONDS,
  });
  const approvalSeconds = new Histogram({
    ...of('tranche_approval_wait_seconds', 'Time that completed steps waited for approval.'),
    buckets: LONG_SECONDS,
  });
  const looks = new Counter(
    of('tranche_check_looks_total{result}', 'Number of looks of checks: seen, or unknown if the source had no data.'),
  );
  const shown = boundedNamespaces();
  let checks: () => Iterable<CheckLabels> = () => [];
  new Gauge({
    ...of('tranche_checks{namespace,verdict}', 'Number of checks of releases in progress, by their verdict.'),
    collect() {
      this.reset();
      for (const { namespace, verdict } of checks()) this.inc({ namespace: shown(namespace), verdict });
    },
  });
  const dora = doraMetrics(of);
  const eventsDropped = new Counter(
    of('tranche_events_dropped_total{why}', 'Number of Kubernetes Events that were dropped.'),
  );
  const spansDropped = new Counter(of('tranche_spans_dropped_total{why}', 'Number of spans that were dropped.'));
  const expiry = new Gauge(
    of(
      'tranche_certificate_expiry_timestamp_seconds{certificate}',
      'Expiry of the certificate, in seconds since the epoch.',
    ),
  );
  const leader = new Gauge(of('tranche_leader', '1 if this process is the leader.'));
  leader.set(0);
  const info = new Gauge(
    of('tranche_build_info{version,node}', 'Always 1. The labels contain the versions of the program and of Node.'),
  );
  info.set({ version: build.version, node: process.version }, 1);

  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    admission(webhook, verdict, seconds) {
      const labels = `${webhook} ${verdict}`;
      let counter = requestsOf.get(labels);
      if (!counter) requestsOf.set(labels, (counter = admissionRequests.labels(webhook, verdict)));
      counter.inc();
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
    look: (result) => looks.inc({ result }),
    watchChecks: (all) => void (checks = all),
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

/**
 * The metrics of the process and of Node, without the distribution of delays of the event loop: a timer that wakes an idle program 100 times a
 * second measures it, and that costs more than everything else that an idle program does.
 */
function collectNodeMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LONGEST_TIMER_MS });
  for (const { name } of registry.getMetricsAsArray())
    if (/^nodejs_eventloop_lag_(?!seconds$)/.test(name)) registry.removeSingleMetric(name);
  new Counter({
    name: 'nodejs_eventloop_active_seconds_total',
    help: 'Time in which the event loop was not idle, in seconds.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(performance.eventLoopUtilization().active / 1000);
    },
  });
}

type Definition = ReturnType<ReturnType<typeof definer>>;

/** Common options of all metrics. `what` has the form `name{label,label}`. */
const definer = (registry: Registry) => (what: string, help: string) => {
  const [name = '', labels = ''] = what.split(/[{}]/);
  return { name, help, labelNames: labels.split(',').filter(Boolean), registers: [registry] };
};

/** The label value of a namespace. */
function boundedNamespaces(): (name: string) => string {
  const known = new Set<string>();
  return (name) => {
    if (known.size < MAX_NAMESPACES) known.add(name);
    return known.has(name) ? name : OTHER_NAMESPACES;
  };
}

/**
 * The four DORA metrics as far as a cluster can measure them: deployment frequency, lead time from admission to the last Pod, change
 * failure rate, and time to restore.
 */
function doraMetrics(
  of: (what: string, help: string) => Definition,
): (namespace: string, outcome: string, seconds: number) => void {
  const deployments = new Counter(of('tranche_dora_deployments_total{namespace}', 'Number of completed releases.'));
  const failures = new Counter(
    of(
      'tranche_dora_failures_total{namespace}',
      'Number of releases that were rolled back, by a user or by onFailure.',
    ),
  );
  const leadTime = new Summary({
    ...of('tranche_dora_lead_time_seconds{namespace}', 'Time from the admission of a change to its last Pod.'),
    percentiles: [],
  });
  const restore = new Summary({
    ...of(
      'tranche_dora_restore_seconds{namespace}',
      'Time from the admission of a failed change to the end of its rollback.',
    ),
    percentiles: [],
  });
  const shown = boundedNamespaces();
  return (name, outcome, seconds) => {
    const namespace = shown(name);
    if (outcome === 'Completed') {
      deployments.inc({ namespace });
      leadTime.observe({ namespace }, seconds);
    } else if (outcome === 'RolledBack' || outcome === 'Failed') {
      failures.inc({ namespace });
      restore.observe({ namespace }, seconds);
    }
  };
}
