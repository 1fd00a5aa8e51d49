// Events as client-go's recorder writes them: a repeated Event increases the count.
import type { Client, Clock, KubeObject } from '../../core/types.ts';
import { timestamp } from './meta.ts';

/** The source of the Events, and how to send them. */
interface Source extends Pick<Client, 'request'> {
  readonly name: string;
  readonly clock: Clock;
}

export class EventRecorder {
  private readonly source: Source;
  private readonly enabled: boolean;
  private readonly known = new Map<string, { path: string; count: number }>();
  private number = 0;

  constructor(source: Source, enabled: boolean) {
    this.source = source;
    this.enabled = enabled;
  }

  /** Never fails and never blocks. An Event that cannot be written is lost. */
  record(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, host?: string): void {
    if (!this.enabled) return;
    void this.write(object, type, reason, message, host).catch(() => undefined);
  }

  private async write(object: KubeObject, type: string, reason: string, message: string, host?: string): Promise<void> {
    const { source } = this;
    const nowMs = source.clock.now();
    const now = timestamp(nowMs);
    const namespace = object.metadata.namespace ?? 'default';
    const key = [object.metadata.uid, type, reason, message].join('\n');
    const before = this.known.get(key);
    if (before) {
      const count = ++before.count;
      await source.request('PATCH', before.path, {
        type: 'application/strategic-merge-patch+json',
        body: { count, lastTimestamp: now },
      });
      return;
    }
    const name = `${object.metadata.name}.${(BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(this.number++)).toString(16)}`;
    const collection = `/api/v1/namespaces/${namespace}/events`;
    this.known.set(key, { path: `${collection}/${name}`, count: 1 });
    await source.request('POST', collection, {
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name, namespace },
        involvedObject: {
          kind: object.kind,
          ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
          name: object.metadata.name,
          uid: object.metadata.uid,
          apiVersion: object.apiVersion,
          resourceVersion: object.metadata.resourceVersion,
        },
        reason,
        message,
        source: { component: source.name, ...(host ? { host } : {}) },
        firstTimestamp: now,
        lastTimestamp: now,
        count: 1,
        type,
        eventTime: null,
        reportingComponent: source.name,
        reportingInstance: host ?? '',
      },
    });
  }
}
