// Leader election through a Lease, as client-go does it. A lease is no fence: what the leader writes must be safe even when two believe they lead.
import type { KubeObject } from '../api/types.ts';
import { link } from './abort.ts';
import type { Api, Clock } from './api.ts';
import { sleep } from './clock.ts';
import { isAlreadyExists, isConflict, NetworkError } from './errors.ts';
import { findObject } from './get.ts';
import { silent, type Logger } from './log.ts';
import { LEASES } from '../api/resources.ts';
import { pathOf } from './path.ts';

export interface LeaseOptions {
  readonly api: Api;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** Unique among all processes, ever: the Pod's name and something random. */
  readonly identity: string;
  readonly logger?: Logger;
  /** This process leads. */
  readonly onAcquired: () => void;
  /**
   * It leads no longer: stop the workers, at once when the lease was lost, in good order when the process is stopping. The lease is
   * sought again, or given up, when the promise resolves.
   */
  readonly onEnd: (why: 'lost' | 'stopping') => Promise<void>;
  /** Takes the lease even from a leader that is alive; it hears of that when it next renews, and its `held` ends with its renewals. */
  readonly overrule?: boolean;
  readonly leaseSeconds?: number;
  readonly renewSeconds?: number;
  readonly retrySeconds?: number;
}

interface LeaseObject extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

export class LeaderElection {
  private readonly options: LeaseOptions;
  private readonly logger: Logger;
  private readonly leaseMs: number;
  private readonly renewMs: number;
  private readonly retryMs: number;
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private keepsLease = false;
  /** The lease as last read, and when we first saw it so: other machines' clocks are not asked. */
  private seen: { object: LeaseObject; version: string; at: number } | undefined;
  /** `seen` is our own last write. */
  private certain = false;
  private trouble: string | undefined;
  /** When the last renewal that succeeded was sent; undefined = we do not lead. */
  private renewedAt: number | undefined;

  constructor(options: LeaseOptions) {
    this.options = options;
    this.logger = options.logger ?? silent;
    this.leaseMs = (options.leaseSeconds ?? 15) * 1000;
    this.renewMs = (options.renewSeconds ?? 10) * 1000;
    this.retryMs = (options.retrySeconds ?? 2) * 1000;
  }

  /** This process leads, as far as it can know: false as soon as the time to renew has passed, whatever timers were late. */
  held(): boolean {
    return this.renewedAt !== undefined && this.options.clock.now() - this.renewedAt < this.renewMs;
  }

  /** Who leads, as last seen. */
  get holder(): string | undefined {
    return this.seen?.object.spec?.holderIdentity ?? undefined;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Stops the workers, then gives the lease up so that the next leader need not wait for it to expire; or keeps it from others until then. */
  async stop(then: 'release' | 'keep' = 'release'): Promise<void> {
    this.keepsLease = then === 'keep';
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      if (!(await this.acquire())) break;
      this.logger.info('leading', { identity: this.options.identity });
      this.options.onAcquired();
      await this.keep();
      const lost = !signal.aborted;
      if (lost) this.logger.warn('no longer leading: the lease could not be renewed in time');
      // Until the workers have stopped, nobody else should begin: then, and only then, give up the lease.
      await this.options.onEnd(lost ? 'lost' : 'stopping');
      if (!lost && !this.keepsLease) await this.release();
      this.renewedAt = undefined;
      this.certain = false;
    }
  }

  /** Tries until it leads (true) or is stopped (false). */
  private async acquire(): Promise<boolean> {
    const { clock } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const ending = link(signal);
      const cancel = clock.after(this.renewMs, ending.abort);
      const acquired = await this.attempt(ending.signal);
      cancel();
      ending.unlink();
      if (acquired) return true;
      // Spread, so that the candidates for one lease do not all ask at the same instant.
      await sleep(clock, this.retryMs * (1 + 0.5 * clock.random()), signal);
    }
    return false;
  }

  /** Renews until that has failed for too long, or until it is stopped. */
  private async keep(): Promise<void> {
    const { clock } = this.options;
    const ending = link(this.stopping.signal);
    // Even while a renewal hangs, the deadline is kept.
    const watch = (): void => {
      const left = this.renewedAt! + this.renewMs - clock.now();
      if (left <= 0) ending.abort();
      else cancel = clock.after(left, watch);
    };
    let cancel = clock.after(this.renewMs, watch);
    while (!ending.signal.aborted) {
      await sleep(clock, this.retryMs, ending.signal);
      if (ending.signal.aborted) break;
      if (!this.held()) break;
      await Promise.race([this.attempt(ending.signal), aborted(ending.signal)]);
      // Another process holds it: there is nothing to renew.
      if (this.holder !== this.options.identity) break;
    }
    cancel();
    ending.unlink();
  }

  /** One try to take or renew; true when we hold it. */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    const { api, clock, identity } = this.options;
    try {
      const sentAt = clock.now();
      // Who holds it knows it as it is, until an answer says otherwise: a renewal is one request.
      const current = this.certain ? this.seen!.object : await this.read(signal);
      if (!current) {
        const body = { ...this.header(), spec: this.spec(undefined) };
        this.see((await api.request({ method: 'POST', path: this.collection, body, signal })) as LeaseObject);
      } else {
        const holder = current.spec?.holderIdentity;
        const expired = clock.now() - this.seen!.at >= this.leaseOf(current);
        if (holder && holder !== identity && !expired && !this.options.overrule) return false;
        const { resourceVersion } = current.metadata;
        const body = { metadata: { resourceVersion }, spec: this.spec(current) };
        this.see(await this.patch(body, signal));
      }
      // An answer that came when we had given up already changes nothing.
      if (signal.aborted) return false;
      this.certain = true;
      this.trouble = undefined;
      this.renewedAt = sentAt;
      return true;
    } catch (error) {
      this.certain = false;
      if (this.stopping.signal.aborted) return false;
      if (isConflict(error) || isAlreadyExists(error)) this.logger.debug('another process changed the lease first');
      else this.complain(signal.aborted ? new NetworkError('no answer in time', 'ETIMEDOUT', { cause: error }) : error);
      return false;
    }
  }

  /** Tries come every two seconds: the same trouble is said once. */
  private complain(error: unknown): void {
    const trouble = error instanceof Error ? error.message : String(error);
    if (trouble !== this.trouble) this.logger.warn('cannot take or renew the lease, will try again', { error });
    this.trouble = trouble;
  }

  private async read(signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { api, namespace, name } = this.options;
    const object = await findObject<LeaseObject>(api, LEASES, { namespace, name, signal });
    if (object) this.see(object);
    return object;
  }

  private see(object: LeaseObject): void {
    const version = object.metadata.resourceVersion ?? '';
    if (this.seen?.version !== version) this.seen = { object, version, at: this.options.clock.now() };
  }

  private async release(): Promise<void> {
    // A bound of its own: whoever waits for us to stop will not wait long.
    const ending = new AbortController();
    const cancel = this.options.clock.after(this.retryMs, () => ending.abort());
    try {
      await this.handOver(ending.signal).catch(async (error: unknown) => {
        // A renewal that was on its way when we stopped took effect.
        if (!isConflict(error)) throw error;
        await this.read(ending.signal);
        await this.handOver(ending.signal);
      });
    } catch (error) {
      this.logger.warn('could not give up the lease; it expires by itself', { error });
    } finally {
      cancel();
    }
  }

  private async handOver(signal: AbortSignal): Promise<void> {
    if (this.holder !== this.options.identity) return;
    const { resourceVersion } = this.seen!.object.metadata;
    const spec = { holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.time() };
    await this.patch({ metadata: { resourceVersion }, spec }, signal);
    this.logger.info('gave up the lease');
  }

  private async patch(body: unknown, signal: AbortSignal): Promise<LeaseObject> {
    const call = {
      method: 'PATCH',
      path: this.path,
      contentType: 'application/merge-patch+json',
      body,
      signal,
    } as const;
    return (await this.options.api.request(call)) as LeaseObject;
  }

  private spec(current: LeaseObject | undefined): LeaseObject['spec'] {
    const { identity } = this.options;
    const ours = current?.spec?.holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(this.leaseMs / 1000),
      renewTime: this.time(),
      ...(ours ? {} : { acquireTime: this.time() }),
      ...(ours ? {} : { leaseTransitions: current ? (current.spec?.leaseTransitions ?? 0) + 1 : 0 }),
    };
  }

  /** The holder's own word on how long its lease lasts. */
  private leaseOf(current: LeaseObject): number {
    const seconds = current.spec?.leaseDurationSeconds;
    return seconds ? seconds * 1000 : this.leaseMs;
  }

  private header(): object {
    const { name, namespace } = this.options;
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace } };
  }

  private get collection(): string {
    return pathOf(LEASES, { namespace: this.options.namespace });
  }

  private get path(): string {
    const { namespace, name } = this.options;
    return pathOf(LEASES, { namespace, name });
  }

  /** metav1.MicroTime. */
  private time(): string {
    return new Date(this.options.clock.now()).toISOString().replace('Z', '000Z');
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
