// Tells the API server which CA to trust: puts caBundle into our webhook configurations and CRD, and puts it back when somebody takes it out.
import type { KubeObject } from '../api/types.ts';
import type { Api, Clock } from '../kube/api.ts';
import { ApiError, isConflict, isNotFound } from '../kube/errors.ts';
import { silent, type Logger } from '../kube/log.ts';
import { DEFINITIONS, MUTATING, VALIDATING, type Resource } from '../api/resources.ts';
import { nameSelector, pathOf } from '../kube/path.ts';
import { WorkQueue, type Outcome } from '../kube/queue.ts';
import { Reflector } from '../kube/reflector.ts';

export interface Target {
  readonly kind: 'MutatingWebhookConfiguration' | 'ValidatingWebhookConfiguration' | 'CustomResourceDefinition';
  readonly name: string;
}

export interface InjectorOptions {
  readonly api: Api;
  readonly clock: Clock;
  readonly targets: readonly Target[];
  /** Where the program is reached when it runs outside the cluster: replaces the host of the URLs that are there. */
  readonly url?: URL;
  /** Another program writes; this one says what is missing. */
  readonly readOnly?: boolean;
  readonly logger?: Logger;
}

interface ClientConfig {
  readonly url?: string;
  readonly service?: object;
  readonly caBundle?: string;
}

/** Covers the three kinds; each has one of the two. */
interface Configured extends KubeObject {
  readonly webhooks?: readonly { readonly name: string; readonly clientConfig: ClientConfig }[];
  readonly spec?: {
    readonly conversion?: { readonly strategy?: string; readonly webhook?: { readonly clientConfig?: ClientConfig } };
  };
}

const RESOURCES: Readonly<Record<Target['kind'], Resource>> = {
  MutatingWebhookConfiguration: MUTATING,
  ValidatingWebhookConfiguration: VALIDATING,
  CustomResourceDefinition: DEFINITIONS,
};

interface Watched {
  readonly target: Target;
  readonly reflector: Reflector<Configured>;
  /** When we last wrote to it, newest last. */
  readonly writes: number[];
}

/** Whoever else insists on another CA (a second program with another URL) shall not make us write without end. */
const MAX_WRITES = 10;
const WRITES_WINDOW_MS = 60_000;

export class CaInjector {
  private readonly options: InjectorOptions;
  private readonly logger: Logger;
  private readonly queue: WorkQueue;
  private readonly watched = new Map<string, Watched>();
  private caBundle: string | undefined;

  constructor(options: InjectorOptions) {
    this.options = options;
    this.logger = options.logger ?? silent;
    const { api, clock } = options;
    for (const target of options.targets) {
      // One name only: the right to watch can be limited to it.
      const reflector = new Reflector<Configured>({
        api,
        clock,
        path: pathOf(RESOURCES[target.kind]),
        fieldSelector: nameSelector(target.name),
        trim: keepClientConfigs,
        logger: this.logger,
      });
      const key = `${target.kind}/${target.name}`;
      this.watched.set(key, { target, reflector, writes: [] });
      reflector.on(() => this.queue.add(key));
    }
    this.queue = new WorkQueue({ clock, logger: this.logger, workers: 1, work: (key) => this.work(key) });
  }

  start(): void {
    this.queue.start();
    for (const { reflector } of this.watched.values()) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.watched.values()].map(({ reflector }) => reflector.stop()));
    await this.queue.drain();
  }

  /** PEM: all CAs to trust. */
  setCa(pem: string): void {
    this.caBundle = Buffer.from(pem).toString('base64');
    for (const key of this.watched.keys()) this.queue.add(key);
  }

  /** What is not as it should be yet, in words; undefined when the API server can reach us and trusts us. */
  get problem(): string | undefined {
    for (const { target, reflector } of this.watched.values()) {
      const about = `${target.kind} ${target.name}`;
      if (!reflector.synced)
        return `${about} has not been read yet${reflector.problem ? `: ${reflector.problem}` : ''}`;
      const object = reflector.get(target.name);
      if (!object) return `${about} does not exist: install the chart`;
      const wrong = this.mistakes(object);
      if (wrong[0]) return `${about}: ${wrong[0]}`;
      if (this.patchFor(object).length > 0) return `${about} does not have our CA yet`;
    }
    return undefined;
  }

  private async work(key: string): Promise<Outcome | void> {
    const { target, reflector, writes } = this.watched.get(key)!;
    const object = reflector.get(target.name);
    if (!object || this.caBundle === undefined) return;
    for (const mistake of this.mistakes(object)) this.logger.warn(mistake, { kind: target.kind, name: target.name });
    const body = this.patchFor(object);
    if (body.length === 0) return;
    if (this.options.readOnly) {
      this.logger.warn('does not have our CA: the Job of the certificates puts it in', {
        kind: target.kind,
        name: target.name,
      });
      return;
    }
    const waitMs = this.waitFor(writes);
    if (waitMs > 0) {
      this.logger.warn('somebody else keeps changing our CA: is another program running with another URL?', { key });
      return { againAfterMs: waitMs };
    }
    try {
      const path = pathOf(RESOURCES[target.kind], { name: target.name });
      await this.options.api.request({ method: 'PATCH', path, contentType: 'application/json-patch+json', body });
      this.logger.info('told the API server our CA', { kind: target.kind, name: target.name });
      return;
    } catch (error) {
      // A `test` of the patch did not hold, or the object is gone: the watch brings what is there now.
      if (isConflict(error) || isNotFound(error) || (error instanceof ApiError && error.code === 422))
        return { retry: true };
      throw error;
    }
  }

  /** How long to wait before the next write; 0, and the write is counted, when it may be done now. */
  private waitFor(writes: number[]): number {
    const now = this.options.clock.now();
    const left = writes.length < MAX_WRITES ? 0 : writes[0]! + WRITES_WINDOW_MS - now;
    if (left > 0) return left;
    writes.push(now);
    if (writes.length > MAX_WRITES) writes.shift();
    return 0;
  }

  /** JSON patch; each change holds only for the configuration it was made for. */
  private patchFor(object: Configured): object[] {
    const patch: object[] = [];
    for (const { path, config } of configsOf(object)) {
      const next = this.desired(config);
      if (!next) continue;
      patch.push({ op: 'test', path, value: config }, { op: 'replace', path, value: next });
    }
    return patch;
  }

  /** Undefined when nothing is to be changed. */
  private desired(config: ClientConfig): ClientConfig | undefined {
    if (this.isElsewhere(config)) return undefined;
    const { caBundle: _, ...rest } = config;
    const next: ClientConfig = { ...rest, ...(this.caBundle === undefined ? {} : { caBundle: this.caBundle }) };
    const { url } = this.options;
    const changed = url && config.url ? { ...next, url: url.origin + new URL(config.url).pathname } : next;
    return changed.caBundle === config.caBundle && changed.url === config.url ? undefined : changed;
  }

  /** It leads to a Service and we run outside the cluster, or the other way round: not for us to change. */
  private isElsewhere(config: ClientConfig): boolean {
    return (config.url === undefined) === (this.options.url !== undefined);
  }

  private mistakes(object: Configured): string[] {
    if (!configsOf(object).some(({ config }) => this.isElsewhere(config))) return [];
    return this.options.url
      ? [
          `calls a Service in the cluster, not ${this.options.url.origin}: install the chart with webhook.url=${this.options.url.origin}`,
        ]
      : ['calls a URL outside the cluster, not our Service: install the chart without webhook.url'];
  }
}

function configsOf(object: Configured): { path: string; config: ClientConfig }[] {
  const conversion = object.spec?.conversion?.webhook?.clientConfig;
  return [
    ...(object.webhooks ?? []).map((webhook, i) => ({
      path: `/webhooks/${i}/clientConfig`,
      config: webhook.clientConfig,
    })),
    ...(conversion ? [{ path: '/spec/conversion/webhook/clientConfig', config: conversion }] : []),
  ];
}

/** A CRD's schema is large, and none of our business here. */
function keepClientConfigs(object: Configured): Configured {
  const { name, uid, resourceVersion } = object.metadata;
  const metadata = { name, ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
  return {
    ...(object.apiVersion && { apiVersion: object.apiVersion }),
    ...(object.kind && { kind: object.kind }),
    metadata,
    ...(object.webhooks
      ? { webhooks: object.webhooks.map((webhook) => ({ name: webhook.name, clientConfig: webhook.clientConfig })) }
      : {}),
    ...(object.spec?.conversion ? { spec: { conversion: object.spec.conversion } } : {}),
  };
}
