// Leader election through a Lease, like client-go. A Lease cannot prevent two leaders for a moment, so writes must be safe in that case too.
import type { KubeObject } from '../api/types.ts';
import { aborted, link } from './abort.ts';
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
  /** Unique for each process: the Pod's name and a random part. */
  readonly identity: string;
  readonly logger?: Logger;
  /** Called when this process becomes the leader. */
  readonly onAcquired: () => void;
  /**
   * Called when this process is no longer the leader. Stop the workers: at once if the lease was lost, gracefully if the process is
   * stopping. When the promise resolves, the process tries to acquire the lease again, or releases it.
   */
  readonly onEnd: (why: 'lost' | 'stopping') => Promise<void>;
  /** Takes the lease from a live leader too. That leader notices it at its next renewal, and its `held` returns false when its renewals fail. */
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
  /** The lease as last read, and the local time when this version was first seen. The clocks of other machines are not used. */
  private seen: { object: LeaseObject; version: string; at: number } | undefined;
  /** True if `seen` is the result of our own last write. */
  private certain = false;
  private trouble: string | undefined;
  /** When the last successful renewal was sent. Undefined = this process is not the leader. */
  private renewedAt: number | undefined;

  constructor(options: LeaseOptions) {
    this.options = options;
    this.logger = options.logger ?? silent;
    this.leaseMs = (options.leaseSeconds ?? 15) * 1000;
    this.renewMs = (options.renewSeconds ?? 10) * 1000;
    this.retryMs = (options.retrySeconds ?? 2) * 1000;
  }

  /** True while this process is the leader. False as soon as the renewal deadline has passed, even if timers are late. */
  held(): boolean {
    return this.renewedAt !== undefined && this.options.clock.now() - this.renewedAt < this.renewMs;
  }

  /** Identity of the leader, as last seen. */
  get holder(): string | undefined {
    return this.seen?.object.spec?.holderIdentity ?? undefined;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Stops the workers. Then releases the lease, so that the next leader can start at once, or keeps it until it expires. */
  async stop(then: 'release' | 'keep' = 'release'): Promise<void> {
    this.keepsLease = then === 'keep';
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      if (!(await this.acquire())) break;
      this.logger.info('became the leader', { identity: this.options.identity });
      this.options.onAcquired();
      await this.keep();
      const lost = !signal.aborted;
      if (lost) this.logger.warn('lost the lead: the lease was not renewed in time');
      // Releases the lease only after the workers have stopped, so that the next leader does not start too early.
      await this.options.onEnd(lost ? 'lost' : 'stopping');
      if (!lost && !this.keepsLease) await this.release();
      this.renewedAt = undefined;
      this.certain = false;
    }
  }

  /** Tries until this process is the leader (true) or is stopped (false). */
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
      // Random, so that the candidates do not all send their requests at the same time.
      await sleep(clock, this.retryMs * (1 + 0.5 * clock.random()), signal);
    }
    return false;
  }

  /**
   * Renews the lease until renewals have failed for too long, or until it is stopped. Unlike client-go, which renews it after each `retryMs`: that
   * would be most of what an idle program does. The deadline leaves time for three attempts (ADR 33).
   */
  private async keep(): Promise<void> {
    const { clock } = this.options;
    const ending = link(this.stopping.signal);
    // Enforces the deadline also while a renewal hangs.
    const watch = (): void => {
      const left = this.renewedAt! + this.renewMs - clock.now();
      if (left <= 0) ending.abort();
      else cancel = clock.after(left, watch);
    };
    let cancel = (): void => {};
    watch();
    let renewed: boolean | void = true;
    while (!ending.signal.aborted) {
      await sleep(clock, renewed ? this.renewMs / 2 : this.retryMs, ending.signal);
      if (ending.signal.aborted) break;
      if (!this.held()) break;
      // Linked and unlinked each time: listeners of `ending` would stay for as long as this process leads.
      const turn = link(ending.signal);
      renewed = await Promise.race([this.attempt(turn.signal), aborted(turn.signal)]);
      turn.unlink();
      // The deadline has moved: without this, the timer would wake an idle program for nothing.
      if (renewed === true) {
        cancel();
        watch();
      }
      // Another process has taken the lease.
      if (this.holder !== this.options.identity) break;
    }
    cancel();
    ending.unlink();
  }

  /** Tries once to acquire or renew the lease. Returns true if this process holds it. */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    const { api, clock, identity } = this.options;
    try {
      const sentAt = clock.now();
      // The holder knows the current version from its own last write, so a renewal needs one request.
      const current = this.certain ? this.seen!.object : await this.read(signal);
      if (!current) {
        const body = { ...this.header(), spec: this.spec(undefined) };
        this.see(
          (await api.request({ method: 'POST', path: this.collection, body, signal, urgent: true })) as LeaseObject,
        );
      } else {
        const holder = current.spec?.holderIdentity;
        const expired = clock.now() - this.seen!.at >= this.leaseOf(current);
        if (holder && holder !== identity && !expired && !this.options.overrule) return false;
        const { resourceVersion } = current.metadata;
        const body = { metadata: { resourceVersion }, spec: this.spec(current) };
        this.see(await this.patch(body, signal));
      }
      // The answer came after the deadline: ignore it.
      if (signal.aborted) return false;
      this.certain = true;
      this.trouble = undefined;
      this.renewedAt = sentAt;
      return true;
    } catch (error) {
      this.certain = false;
      if (this.stopping.signal.aborted) return false;
      if (isConflict(error) || isAlreadyExists(error)) this.logger.debug('another process changed the lease first');
      else
        this.complain(signal.aborted ? new NetworkError('no response in time', 'ETIMEDOUT', { cause: error }) : error);
      return false;
    }
  }

  /** Logs an error once, although attempts repeat every two seconds. */
  private complain(error: unknown): void {
    const trouble = error instanceof Error ? error.message : String(error);
    if (trouble !== this.trouble) this.logger.warn('cannot acquire or renew the lease; retrying', { error });
    this.trouble = trouble;
  }

  private async read(signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { api, namespace, name } = this.options;
    const object = await findObject<LeaseObject>(api, LEASES, { namespace, name, signal, urgent: true });
    if (object) this.see(object);
    return object;
  }

  private see(object: LeaseObject): void {
    const version = object.metadata.resourceVersion ?? '';
    if (this.seen?.version !== version) this.seen = { object, version, at: this.options.clock.now() };
  }

  private async release(): Promise<void> {
    // A short timeout, because the kubelet waits for the process to stop.
    const ending = new AbortController();
    const cancel = this.options.clock.after(this.retryMs, () => ending.abort());
    try {
      await this.handOver(ending.signal).catch(async (error: unknown) => {
        // A renewal that was in flight at the stop has changed the version.
        if (!isConflict(error)) throw error;
        await this.read(ending.signal);
        await this.handOver(ending.signal);
      });
    } catch (error) {
      this.logger.warn('could not release the lease; it expires on its own', { error });
    } finally {
      cancel();
    }
  }

  private async handOver(signal: AbortSignal): Promise<void> {
    if (this.holder !== this.options.identity) return;
    const { resourceVersion } = this.seen!.object.metadata;
    const spec = { holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.time() };
    await this.patch({ metadata: { resourceVersion }, spec }, signal);
    this.logger.info('released the lease');
  }

  private async patch(body: unknown, signal: AbortSignal): Promise<LeaseObject> {
    const call = {
      method: 'PATCH',
      path: this.path,
      contentType: 'application/merge-patch+json',
      body,
      signal,
      urgent: true,
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

  /** Duration of the lease as its holder wrote it. */
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
