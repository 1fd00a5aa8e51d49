// Watches Deployments, ReplicaSets, Pods and Rollouts, and where a subject has a route what proxies watch, over its own connections. It sorts the changes
// in the order in which they were stored, and passes them to the judges. It imports nothing of src/.
import type { ClientRequest, IncomingMessage } from 'node:http';
import https from 'node:https';
import { parse } from 'yaml';
import { Judge, type Seen } from './judge.ts';
import type { TrafficJudge } from './traffic/judge.ts';

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

const COLLECTIONS = [
  ['Deployment', '/apis/apps/v1/deployments'],
  ['ReplicaSet', '/apis/apps/v1/replicasets'],
  ['Pod', '/api/v1/pods'],
  ['Rollout', '/apis/rollouts.kruise.io/v1beta1/rollouts'],
] as const;
/** What proxies watch. */
const ROUTED = [
  ['HTTPRoute', '/apis/gateway.networking.k8s.io/v1/httproutes'],
  ['Service', '/api/v1/services'],
  ['EndpointSlice', '/apis/discovery.k8s.io/v1/endpointslices'],
] as const;

/** How long an event waits for older events of the other streams. */
const ORDER_MS = 400;
const AGAIN_MS = 100;
/** A process that could not run for so long has seen changes too late: the copies of proxies are then later than they may be. */
const STARVED_MS = 400;
const EXCUSED_MS = 10_000;

export class Observer {
  readonly judge = new Judge();
  /** One for each route of a subject. */
  readonly traffic: TrafficJudge[] = [];
  /** Number of restarted streams, and of events that came too late to be sorted. */
  gaps = 0;
  late = 0;
  private readonly server: URL;
  private readonly tls: https.RequestOptions;
  private readonly waiting: { revision: number; seen: Seen }[] = [];
  private readonly listeners = new Set<(seen: Seen) => void>();
  private judgedTo = 0;
  private readonly ending = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly running: Promise<unknown>;

  private lastTick = Date.now();

  /** `routes`: watches routes, Services and endpoints too. */
  constructor(kubeconfig: string, routes = false) {
    const { clusters, users } = parse(kubeconfig);
    const bytes = (text: string): Buffer => Buffer.from(text, 'base64');
    this.server = new URL(clusters[0].cluster.server);
    this.tls = {
      ca: bytes(clusters[0].cluster['certificate-authority-data']),
      cert: bytes(users[0].user['client-certificate-data']),
      key: bytes(users[0].user['client-key-data']),
      agent: false,
    };
    this.timer = setInterval(() => this.judgeUpTo(Date.now() - ORDER_MS), 50);
    const collections = routes ? [...COLLECTIONS, ...ROUTED] : COLLECTIONS;
    this.running = Promise.all(collections.map(([kind, path]) => this.follow(kind, path)));
  }

  /** Called for each change at once, before sorting, for code that must act at a certain moment. */
  on(listener: (seen: Seen) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Of I1–I6 and T1–T12. */
  get violations(): readonly string[] {
    return [...this.judge.violations, ...this.traffic.flatMap(({ violations }) => [...violations])];
  }

  /** Resolves when all changes so far are judged. */
  async caughtUp(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ORDER_MS * 2));
    this.judgeUpTo(Infinity);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    this.ending.abort();
    await this.running;
    this.judgeUpTo(Infinity);
  }

  private judgeUpTo(at: number): void {
    const due = this.waiting
      .filter(({ seen }) => seen.at <= at)
      .reduce((most, { revision }) => Math.max(most, revision), 0);
    this.waiting.sort((a, b) => a.revision - b.revision);
    while (this.waiting[0] && this.waiting[0].revision <= due) {
      const { revision, seen } = this.waiting.shift()!;
      const late = revision < this.judgedTo;
      if (late) this.late += 1;
      this.judgedTo = Math.max(this.judgedTo, revision);
      this.judge.see(late ? { ...seen, gap: true } : seen);
      for (const judge of this.traffic) judge.see(seen);
    }
    if (at === Infinity) return;
    this.judge.tick(at);
    const starved = Date.now() - this.lastTick > STARVED_MS;
    this.lastTick = Date.now();
    for (const judge of this.traffic) {
      if (starved) judge.excuse(at, EXCUSED_MS);
      else judge.tick(at);
    }
  }

  private note(revision: number, seen: Seen): void {
    this.waiting.push({ revision, seen });
    for (const listener of this.listeners) listener(seen);
  }

  private async follow(kind: Seen['kind'], path: string): Promise<void> {
    const known = new Map<string, any>();
    let revision: string | undefined;
    while (!this.ending.signal.aborted) {
      try {
        revision ??= await this.list(kind, path, known);
        revision = await this.watch(kind, path, known, revision);
      } catch {
        // The server or the kind is not available at the moment.
        revision = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  /** Reports each difference to the known objects as a change. */
  private async list(kind: Seen['kind'], path: string, known: Map<string, any>): Promise<string> {
    const body = await new Promise<any>((resolve, reject) => {
      this.open(path, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part)).on('error', reject);
        response.on('end', () => {
          if (response.statusCode !== 200) return reject(new Error(`HTTP ${response.statusCode}`));
          resolve(JSON.parse(Buffer.concat(parts).toString()));
        });
      }).on('error', reject);
    });
    const first = known.size === 0;
    if (!first) this.gaps += 1;
    const at = Date.now();
    const gap = first ? {} : { gap: true };
    const listed = new Set<string>();
    for (const item of body.items) {
      const { uid, resourceVersion } = item.metadata;
      listed.add(uid);
      if (known.get(uid)?.metadata.resourceVersion === resourceVersion) continue;
      const type = known.has(uid) ? 'MODIFIED' : 'ADDED';
      known.set(uid, item);
      this.note(Number(resourceVersion), { kind, type, object: item, at, ...gap });
    }
    for (const [uid, object] of known) {
      if (listed.has(uid)) continue;
      known.delete(uid);
      this.note(Number(body.metadata.resourceVersion), { kind, type: 'DELETED', object, at, ...gap });
    }
    return body.metadata.resourceVersion as string;
  }

  /** Resolves with the resourceVersion to continue from. Undefined = list again. */
  private watch(kind: Seen['kind'], path: string, known: Map<string, any>, from: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      let revision: string | undefined = from;
      const query = `?watch=true&allowWatchBookmarks=true&resourceVersion=${from}`;
      const request = this.open(path + query, (response) => {
        if (response.statusCode !== 200) return reject(new Error(`HTTP ${response.statusCode}`));
        let rest = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop()!;
          for (const line of lines) {
            const { type, object } = JSON.parse(line);
            if (type === 'ERROR') {
              revision = undefined;
              request.destroy();
              return;
            }
            revision = object.metadata.resourceVersion;
            if (type === 'BOOKMARK') continue;
            if (type === 'DELETED') known.delete(object.metadata.uid);
            else known.set(object.metadata.uid, object);
            this.note(Number(revision), { kind, type, object, at: Date.now() });
          }
        });
        response.on('end', () => resolve(revision)).on('error', () => resolve(revision));
      });
      request.on('error', reject);
    });
  }

  private open(path: string, answer: (response: IncomingMessage) => void): ClientRequest {
    return https.get(new URL(path, this.server), { ...this.tls, signal: this.ending.signal }, answer);
  }
}
