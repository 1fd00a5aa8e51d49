// The operator's way to a virtual cluster: takes time, counts every call, and misbehaves when it is told to.
import assert from 'node:assert/strict';
import { ApiError as ServerError, type User } from '@tranche/sandbox/types';
import type { VirtualCluster } from '@tranche/sandbox/virtual';
import type { Api, ApiCall, Clock, WatchLine } from '../../src/kube/api.ts';
import { ApiError, NetworkError } from '../../src/kube/errors.ts';

export const OPERATOR: User = {
  username: 'system:serviceaccount:tranche-system:tranche',
  groups: ['system:masters', 'system:authenticated'],
};

/** What a call meets with: nothing, a refusal before it takes effect, or silence after it did. */
export type Fault = 'conflict' | 'throttled' | 'forbidden' | 'broken' | 'lost' | 'crash-before' | 'crash-after';

export interface Misbehaviour {
  /** Asked before each request. */
  fault(call: ApiCall): Fault | undefined;
  /** Asked for each line of a watch. */
  line(line: WatchLine): 'lost' | 'twice' | undefined;
  onCrash(): void;
}

/** What the chart's ClusterRole allows, as far as writes go. */
const ALLOWED = [
  /^PATCH .*\/deployments\/[^/]+$/,
  /^PATCH .*\/(statefulsets|clonesets|daemonsets)\/[^/]+$/,
  /^PATCH .*\/replicasets\/[^/]+$/,
  /^PATCH .*\/pods\/[^/]+$/,
  /^POST .*\/pods\/[^/]+\/eviction$/,
  /^POST .*\/controllerrevisions$/,
  /^DELETE .*\/controllerrevisions\/[^/]+$/,
  /^PATCH .*\/(rollouts|trafficroutings)\/[^/]+(\/status)?$/,
  /^PATCH .*\/(httproutes|grpcroutes)\/[^/]+$/,
  /^POST .*\/services$/,
  /^(PATCH|DELETE) .*\/services\/[^/]+$/,
];

export class VirtualApi implements Api {
  readonly calls: ApiCall[] = [];
  /** Calls that the server refused; a conflict is one that changed nothing. */
  readonly refused = new Set<ApiCall>();
  /** A process that has crashed hears and does nothing more. */
  dead = false;
  private readonly virtual: VirtualCluster;
  private readonly misbehaviour: Misbehaviour | undefined;

  constructor(virtual: VirtualCluster, misbehaviour?: Misbehaviour) {
    this.virtual = virtual;
    this.misbehaviour = misbehaviour;
  }

  /** The process's own clock: stops with it. */
  get clock(): Clock {
    const { clock } = this.virtual;
    return {
      now: () => clock.now(),
      random: () => clock.random(),
      after: (ms, fn) => clock.after(ms, () => void (this.dead || fn())),
    };
  }

  async request(call: ApiCall): Promise<unknown> {
    const line = `${call.method} ${call.path}`;
    assert.ok(call.method === 'GET' || ALLOWED.some((allowed) => allowed.test(line)), `not allowed: ${line}`);
    this.calls.push(call);
    await this.travel();
    const fault = call.signal?.aborted ? undefined : this.misbehaviour?.fault(call);
    if (fault === 'crash-before') return this.crash();
    if (fault === 'conflict') throw new ApiError(409, { code: 409, reason: 'Conflict', message: 'injected' });
    if (fault === 'throttled')
      throw new ApiError(429, { code: 429, reason: 'TooManyRequests', message: 'injected' }, 1);
    if (fault === 'forbidden')
      throw new ApiError(403, { code: 403, reason: 'Forbidden', message: 'injected: not allowed' });
    if (fault === 'broken') throw new ApiError(500, { code: 500, reason: 'InternalError', message: 'injected' });
    const answer = await this.send(call);
    if (fault === 'crash-after') return this.crash();
    if (fault === 'lost') throw new NetworkError('injected: timed out', 'ETIMEDOUT');
    await this.travel();
    return answer;
  }

  async watch(call: ApiCall, onLine: (line: WatchLine) => void): Promise<void> {
    this.calls.push(call);
    await this.travel();
    const query = new URLSearchParams(call.query);
    const { cluster, clock } = this.virtual;
    const response = await cluster.handle({ method: 'GET', path: call.path, query, headers: {}, user: OPERATOR });
    const { watch } = response;
    if (!watch) throw asApiError(response.status, response.body);
    await new Promise<void>((resolve) => {
      let arrives = 0;
      const later = (fn: () => void): void => {
        // Lines come late, but in order: what is due at the same moment would run in any.
        arrives = Math.max(arrives + 0.001, clock.now() + clock.random() * 20);
        clock.after(arrives - clock.now(), () => void (this.dead || fn()));
      };
      const end = (): void => {
        watch.stop();
        resolve();
      };
      // The signal may have been given while the call was on its way.
      if (call.signal?.aborted) return end();
      call.signal?.addEventListener('abort', end, { once: true });
      watch.start(
        (event) => {
          const line = event as WatchLine;
          const fate = line.type === 'BOOKMARK' ? undefined : this.misbehaviour?.line(line);
          if (fate === 'lost') return;
          later(() => onLine(line));
          if (fate === 'twice') later(() => onLine(line));
        },
        () => later(end),
      );
    });
  }

  private async send(call: ApiCall): Promise<unknown> {
    const client = this.virtual.cluster.client(OPERATOR);
    const query = { ...call.query, ...(call.method === 'GET' ? {} : { fieldManager: 'tranche' }) };
    try {
      return await client.request(call.method, call.path, {
        query,
        ...(call.contentType ? { type: call.contentType } : {}),
        ...(call.body === undefined ? {} : { body: call.body as object }),
      });
    } catch (error) {
      this.refused.add(call);
      throw error instanceof ServerError ? asApiError(error.status.code, error.status) : error;
    }
  }

  private travel(): Promise<void> {
    const { clock } = this.virtual;
    return new Promise((resolve) => void clock.after(clock.random() * 3, () => void (this.dead || resolve())));
  }

  /** Whoever waits for the answer is gone. */
  private crash(): Promise<never> {
    this.misbehaviour?.onCrash();
    return new Promise(() => {});
  }
}

/** The server answers in plain text for a path of a custom kind that it does not serve, which the client of the sandbox hides. */
const asApiError = (code: number, status: unknown): ApiError =>
  (status as { message?: string }).message === 'the server could not find the requested resource'
    ? new ApiError(code, { message: `HTTP ${code}: 404 page not found` })
    : knownError(code, status);

const knownError = (code: number, status: unknown): ApiError =>
  new ApiError(code, status as ConstructorParameters<typeof ApiError>[1]);
