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
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const admissionRequests = new Counter({
    name: 'tranche_admission_requests_total',
    help: 'Requests of the API server to our webhooks, by webhook and verdict.',
    labelNames: ['webhook', 'verdict'],
    registers,
  });
  const admissionSeconds = new Histogram({
    name: 'tranche_admission_duration_seconds',
    help: 'Time from the request to our answer.',
    labelNames: ['webhook'],
    buckets: SECONDS,
    registers,
  });
  const reconciles = new Counter({
    name: 'tranche_reconciles_total',
    help: 'Pieces of work of a controller, by how they ended: done, later, retry, conflict, error, terminal.',
    labelNames: ['controller', 'result'],
    registers,
  });
  const reconcileSeconds = new Histogram({
    name: 'tranche_reconcile_duration_seconds',
    help: 'Time a piece of work took.',
    labelNames: ['controller'],
    buckets: SECONDS,
    registers,
  });
  const depths = new Map<string, () => number>();
  new Gauge({
    name: 'tranche_queue_depth',
    help: 'Keys that wait for a worker now.',
    labelNames: ['controller'],
    registers,
    collect() {
      for (const [controller, depth] of depths) this.set({ controller }, depth());
    },
  });
  const budgetMoves = new Counter({
    name: 'tranche_budget_moves_total',
    help: 'Writes to a Deployment that hold it, move it or give it back.',
    labelNames: ['move'],
    registers,
  });
  const policyFindings = new Counter({
    name: 'tranche_policy_findings_total',
    help: 'Changes against a rule of a ReleasePolicy, by what came of it: denied, warned, audited, broken.',
    labelNames: ['rule', 'outcome'],
    registers,
  });
  const approvals = new Counter({
    name: 'tranche_approvals_total',
    help: 'Steps that went on because people approved them.',
    registers,
  });
  const bypasses = new Counter({
    name: 'tranche_bypasses_total',
    help: 'Template changes that no webhook saw, found and held by the operator.',
    registers,
  });
  const watchRestarts = new Counter({
    name: 'tranche_watch_restarts_total',
    help: 'Watches that had to be opened again for another reason than their time: gone, error, silent, short.',
    labelNames: ['resource', 'reason'],
    registers,
  });
  const watchDrift = new Counter({
    name: 'tranche_watch_drift_objects_total',
    help: 'Objects whose change no watch had told, found by the comparison every ten minutes.',
    labelNames: ['resource'],
    registers,
  });
  const releases = new Counter({
    name: 'tranche_releases_total',
    help: 'Releases that ended, by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const long = { buckets: LONG_SECONDS, registers };
  const releaseSeconds = new Histogram({
    name: 'tranche_release_duration_seconds',
    help: 'Time from the begin of a release to its end, waits included, by outcome.',
    labelNames: ['outcome'],
    ...long,
  });
  const stepSeconds = new Histogram({
    name: 'tranche_step_duration_seconds',
    help: 'Time in which the Pods of a step were replaced.',
    ...long,
  });
  const approvalSeconds = new Histogram({
    name: 'tranche_approval_wait_seconds',
    help: 'Time that a finished step waited for approval.',
    ...long,
  });
  const dora = doraMetrics(registry);
  const eventsDropped = new Counter({
    name: 'tranche_events_dropped_total',
    help: 'Kubernetes Events that were left out: rate, full, refused, failed.',
    labelNames: ['why'],
    registers,
  });
  const spansDropped = new Counter({
    name: 'tranche_spans_dropped_total',
    help: 'Spans of traces that were left out: full, failed.',
    labelNames: ['why'],
    registers,
  });
  const expiry = new Gauge({
    name: 'tranche_certificate_expiry_timestamp_seconds',
    help: 'When the certificate ends, in seconds since the epoch.',
    labelNames: ['certificate'],
    registers,
  });
  const leader = new Gauge({ name: 'tranche_leader', help: '1 when this process leads.', registers });
  leader.set(0);
  new Gauge({
    name: 'tranche_build_info',
    help: '1; what is running is in the labels.',
    labelNames: ['version', 'node'],
    registers,
  }).set({ version: build.version, node: process.version }, 1);

  return {
    text: () => registry.metrics(),
    contentType: registry.contentType,
    admission(webhook, verdict, seconds) {
      admissionRequests.inc({ webhook, verdict });
      admissionSeconds.observe({ webhook }, seconds);
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

/**
 * The four DORA figures as far as a cluster can know them: how often, how long from the admission of a change to its last Pod, how often
 * a change fails, and how long until what ran before runs again.
 */
function doraMetrics(registry: Registry): (namespace: string, outcome: string, seconds: number) => void {
  const options = { labelNames: ['namespace'], registers: [registry] };
  const deployments = new Counter({
    name: 'tranche_dora_deployments_total',
    help: 'Releases that went through, by namespace.',
    ...options,
  });
  const failures = new Counter({
    name: 'tranche_dora_failures_total',
    help: 'Releases that were rolled back, by people or by onFailure, by namespace.',
    ...options,
  });
  const leadTime = new Summary({
    name: 'tranche_dora_lead_time_seconds',
    help: 'From the admission of a change to its last Pod, by namespace.',
    percentiles: [],
    ...options,
  });
  const restore = new Summary({
    name: 'tranche_dora_restore_seconds',
    help: 'From the admission of a change that was rolled back to the end of the rollback, by namespace.',
    percentiles: [],
    ...options,
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
