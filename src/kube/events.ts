// Sends Kubernetes Events in the background. It counts repeated events, limits their rate, and never blocks or fails its caller.
import type { KubeObject } from '../api/types.ts';
import type { Api, Clock } from './api.ts';
import { sleep } from './clock.ts';
import { ApiError, isNotFound } from './errors.ts';
import { silent, type Logger } from './log.ts';
import { EVENTS } from '../api/resources.ts';
import { PathError, pathOf } from './path.ts';

export interface EventInput {
  /** The object of the event. apiVersion and kind are required. */
  readonly about: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, from a fixed set (api/reasons.ts). */
  readonly reason: string;
  readonly message: string;
}

/** Queues the event and returns at once. */
export interface EventRecorder {
  record(event: EventInput): void;
}

export interface EventOptions {
  readonly api: Api;
  readonly clock: Clock;
  /** Source of the events, e.g. `tranche`. */
  readonly component: string;
  /** Identifies this process, e.g. the Pod's name. */
  readonly instance?: string;
  readonly logger?: Logger;
  /** For metrics: an event was dropped. */
  readonly onDropped?: (why: 'rate' | 'full' | 'refused' | 'failed') => void;
}

/** A repetition within this time increments the count of the first event. The API server keeps an event for an hour. */
const AGGREGATE_MS = 600_000;
/** Events of one object at once: enough for a release with many steps, few enough that a loop does not fill the cluster's storage. */
const BURST = 50;
const REFILL_MS = 30_000;
const MAX_WAITING = 1_000;
/** Maximum number of recent events, and of objects with a rate, that are remembered. */
const MAX_REMEMBERED = 4_096;
const ATTEMPTS = 4;
const LAST_CHANCE_MS = 2_000;
/** The API server refuses longer messages. */
const MAX_MESSAGE = 1_024;

interface Sent {
  readonly path: string;
  readonly at: number;
  count: number;
}

export class EventSender implements EventRecorder {
  private readonly options: EventOptions;
  private readonly logger: Logger;
  private readonly waiting: EventInput[] = [];
  private readonly recent = new Map<string, Sent>();
  private readonly buckets = new Map<string, { tokens: number; at: number }>();
  private readonly stopping = new AbortController();
  private readonly givingUp = new AbortController();
  private sending: Promise<void> | undefined;
  private refusedBefore = false;
  private made = 0;

  constructor(options: EventOptions) {
    this.options = options;
    this.logger = options.logger ?? silent;
  }

  record(event: EventInput): void {
    if (this.stopping.signal.aborted) return;
    if (!this.takeToken(event.about)) return this.options.onDropped?.('rate');
    if (this.waiting.length >= MAX_WAITING) return this.options.onDropped?.('full');
    this.waiting.push(event);
    this.sending ??= this.send();
  }

  /** Sends the queued events for at most two seconds, without retries. */
  async stop(): Promise<void> {
    this.stopping.abort();
    const cancel = this.options.clock.after(LAST_CHANCE_MS, () => {
      this.waiting.length = 0;
      this.givingUp.abort();
    });
    await this.sending;
    cancel();
  }

  private async send(): Promise<void> {
    for (let event = this.waiting.shift(); event; event = this.waiting.shift()) await this.sendOne(event);
    this.sending = undefined;
  }

  private async sendOne(event: EventInput): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.write(event);
      } catch (error) {
        // 4xx: forbidden, or the namespace is terminating. A retry would be refused too.
        if (isForGood(error)) return this.refused(error);
        if (attempt === ATTEMPTS || this.stopping.signal.aborted) return this.options.onDropped?.('failed');
        const wanted = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;
        await sleep(this.options.clock, Math.max(wanted * 1000, attempt * 2_000), this.stopping.signal);
      }
    }
  }

  private async write(event: EventInput): Promise<void> {
    const { api, clock } = this.options;
    const { signal } = this.givingUp;
    const now = clock.now();
    const { metadata } = event.about;
    const id = JSON.stringify([
      metadata.uid,
      metadata.namespace,
      metadata.name,
      event.type,
      event.reason,
      event.message,
    ]);
    const before = this.recent.get(id);
    if (before && now - before.at < AGGREGATE_MS) {
      before.count += 1;
      const body = { count: before.count, lastTimestamp: timestamp(now) };
      try {
        const contentType = 'application/merge-patch+json';
        await api.request({ method: 'PATCH', path: before.path, contentType, body, signal });
        return;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    // Kubernetes stores events of cluster-scoped objects in this namespace.
    const namespace = metadata.namespace ?? 'default';
    this.made += 1;
    const unique = `${now.toString(16)}${Math.floor(clock.random() * 0xffff).toString(16)}${this.made.toString(16)}`;
    const name = `${metadata.name.slice(0, 200)}.${unique}`;
    const body = this.bodyOf(event, namespace, name, now);
    await api.request({ method: 'POST', path: pathOf(EVENTS, { namespace }), body, signal });
    this.recent.delete(id);
    remember(this.recent, id, { path: pathOf(EVENTS, { namespace, name }), at: now, count: 1 });
  }

  private bodyOf(event: EventInput, namespace: string, name: string, now: number): unknown {
    const { apiVersion, kind, metadata } = event.about;
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: {
        apiVersion,
        kind,
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
      },
      type: event.type,
      reason: event.reason,
      message: event.message.length > MAX_MESSAGE ? `${event.message.slice(0, MAX_MESSAGE - 1)}…` : event.message,
      source: { component: this.options.component, host: this.options.instance },
      reportingComponent: this.options.component,
      reportingInstance: this.options.instance ?? '',
      firstTimestamp: timestamp(now),
      lastTimestamp: timestamp(now),
      count: 1,
    };
  }

  private refused(error: unknown): void {
    this.options.onDropped?.('refused');
    if (this.refusedBefore) return;
    this.refusedBefore = true;
    this.logger.warn('the API server refused an event; releases continue, further refusals are not logged', { error });
  }

  private takeToken(about: KubeObject): boolean {
    const now = this.options.clock.now();
    const id = about.metadata.uid ?? `${about.metadata.namespace}/${about.metadata.name}`;
    const bucket = this.buckets.get(id) ?? { tokens: BURST, at: now };
    const tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    const allowed = tokens >= 1;
    this.buckets.delete(id);
    remember(this.buckets, id, { tokens: allowed ? tokens - 1 : tokens, at: now });
    return allowed;
  }
}

/** A PathError comes from an object with an invalid name, which a forged review can contain. */
const isForGood = (error: unknown): boolean =>
  error instanceof PathError || (error instanceof ApiError && error.code < 500 && error.code !== 429);

/** Kubernetes' metav1.Time has whole seconds. */
const timestamp = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');

/** Adds the newest entry, and removes the oldest one above the limit. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.set(key, value);
  if (map.size > MAX_REMEMBERED) map.delete(map.keys().next().value!);
}
