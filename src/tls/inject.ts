// Sets caBundle in the webhook configurations and the CRD, so that the API server trusts the webhooks, and restores it if it is removed.
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
  /** URL of a program that runs outside the cluster. It replaces scheme, host and port of the configured URLs. */
  readonly url?: URL;
  /** Only reports missing CAs. Another program writes them. */
  readonly readOnly?: boolean;
  readonly logger?: Logger;
}

interface ClientConfig {
  readonly url?: string;
  readonly service?: object;
  readonly caBundle?: string;
}

/** The fields of the three kinds. Each kind has one of them. */
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
  /** Times of the last writes, newest last. */
  readonly writes: number[];
}

/** Limits the writes if another program sets another CA, for example a second instance with another URL. */
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
      // Watches one name, so that RBAC can limit the rule to this name.
      const reflector = new Reflector<Configured>({
        api,
        clock,
        path: pathOf(RESOURCES[target.kind]),
        fieldSelector: nameSelector(target.name),
        transform: keepClientConfigs,
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

  /** Sets the trusted CAs, in PEM. */
  setCa(pem: string): void {
    this.caBundle = Buffer.from(pem).toString('base64');
    for (const key of this.watched.keys()) this.queue.add(key);
  }

  /** What is missing for the API server to reach and trust the webhooks, or undefined. */
  get problem(): string | undefined {
    for (const { target, reflector } of this.watched.values()) {
      const about = `${target.kind} ${target.name}`;
      if (!reflector.synced)
        return `${about} has not been read yet${reflector.problem ? `: ${reflector.problem}` : ''}`;
      const object = reflector.get(target.name);
      if (!object) return `${about} does not exist; install the chart`;
      const wrong = this.mistakes(object);
      if (wrong[0]) return `${about}: ${wrong[0]}`;
      if (this.patchFor(object).length > 0) return `${about} does not have the current CA yet`;
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
      this.logger.warn('a webhook configuration or CRD does not have the current CA; the certificates Job sets it', {
        kind: target.kind,
        name: target.name,
      });
      return;
    }
    const waitMs = this.waitFor(writes);
    if (waitMs > 0) {
      this.logger.warn(
        'another program repeatedly changes the CA; check whether a second instance runs with another URL',
        { key },
      );
      return { againAfterMs: waitMs };
    }
    try {
      const path = pathOf(RESOURCES[target.kind], { name: target.name });
      await this.options.api.request({ method: 'PATCH', path, contentType: 'application/json-patch+json', body });
      this.logger.info('set the CA', { kind: target.kind, name: target.name });
      return;
    } catch (error) {
      // A `test` of the patch failed, or the object was deleted: the watch delivers the current state.
      if (isConflict(error) || isNotFound(error) || (error instanceof ApiError && error.code === 422))
        return { retry: true };
      throw error;
    }
  }

  /** Milliseconds to wait before the next write. Returns 0 and counts the write if it is allowed now. */
  private waitFor(writes: number[]): number {
    const now = this.options.clock.now();
    const left = writes.length < MAX_WRITES ? 0 : writes[0]! + WRITES_WINDOW_MS - now;
    if (left > 0) return left;
    writes.push(now);
    if (writes.length > MAX_WRITES) writes.shift();
    return 0;
  }

  /** A JSON patch. A `test` operation protects each change against concurrent edits. */
  private patchFor(object: Configured): object[] {
    const patch: object[] = [];
    for (const { path, config } of configsOf(object)) {
      const next = this.desired(config);
      if (!next) continue;
      patch.push({ op: 'test', path, value: config }, { op: 'replace', path, value: next });
    }
    return patch;
  }

  /** The corrected configuration, or undefined if it is correct. */
  private desired(config: ClientConfig): ClientConfig | undefined {
    if (this.isElsewhere(config)) return undefined;
    const { caBundle: _, ...rest } = config;
    const next: ClientConfig = { ...rest, ...(this.caBundle === undefined ? {} : { caBundle: this.caBundle }) };
    const { url } = this.options;
    const changed = url && config.url ? { ...next, url: url.origin + new URL(config.url).pathname } : next;
    return changed.caBundle === config.caBundle && changed.url === config.url ? undefined : changed;
  }

  /** True if it points to a Service while the program runs outside the cluster, or the reverse. The program does not change it then. */
  private isElsewhere(config: ClientConfig): boolean {
    return (config.url === undefined) === (this.options.url !== undefined);
  }

  private mistakes(object: Configured): string[] {
    if (!configsOf(object).some(({ config }) => this.isElsewhere(config))) return [];
    return this.options.url
      ? [
          `calls a Service in the cluster, not ${this.options.url.origin}; install the chart with webhook.url=${this.options.url.origin}`,
        ]
      : ["calls a URL outside the cluster, not the chart's Service; install the chart without webhook.url"];
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

/** Drops all other fields. The schema of a CRD is large and not needed. */
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
