// What the program counts. Every label's values come from a small fixed set: no names of users' objects.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

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
  watchRestart(resource: string, reason: string): void;
  watchDrift(resource: string, objects: number): void;
  eventDropped(why: string): void;
  certificateExpiry(certificate: 'ca' | 'serving', atMs: number): void;
  leader(leads: boolean): void;
}

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
  const eventsDropped = new Counter({
    name: 'tranche_events_dropped_total',
    help: 'Kubernetes Events that were left out: rate, full, refused, failed.',
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
    watchRestart: (resource, reason) => watchRestarts.inc({ resource, reason }),
    watchDrift: (resource, objects) => watchDrift.inc({ resource }, objects),
    eventDropped: (why) => eventsDropped.inc({ why }),
    certificateExpiry: (certificate, atMs) => expiry.set({ certificate }, Math.floor(atMs / 1000)),
    leader: (leads) => leader.set(leads ? 1 : 0),
  };
}
