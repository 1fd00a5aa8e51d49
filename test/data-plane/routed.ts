// A Deployment whose Rollout routes requests, its Service and its route: what a user does with them, and what a test asks about them.
import assert from 'node:assert/strict';
import { FIELD_MANAGER } from '../../src/api/keys.ts';
import { DEPLOYMENTS, PODS, ROLLOUTS, SERVICES, type Resource } from '../../src/api/resources.ts';
import type { Deployment, KubeObject, Rollout } from '../../src/api/types.ts';
import type { Api } from '../../src/kube/api.ts';
import { findObject, getObject } from '../../src/kube/get.ts';
import { pathOf } from '../../src/kube/path.ts';
import type { Client } from '../e2e/harness/client.ts';
import { until } from '../support/until.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from './gateway/resources.ts';
import type { HttpRoute } from './gateway/types.ts';
import { deployment, manifest, PRE_STOP_SECONDS, rollout, service } from './objects.ts';

export interface RoutedOptions {
  /** Of all its objects. */
  readonly name: string;
  /** Of a Rollout that has its route. */
  readonly steps?: readonly object[];
  /** Another Rollout. */
  readonly rollout?: object;
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly replicas: number;
  readonly graceSeconds: number;
  /** The user's own. */
  readonly route: object;
  /** Without a tag: a tag is a version. */
  readonly image: string;
  /** The first version. */
  readonly version: string;
  readonly preStopSeconds?: number;
  /** Further flags of `kubectl apply`, such as `--server-side`. */
  readonly applyFlags?: readonly string[];
}

/** Where it is. */
export interface Place {
  readonly client: Client;
  readonly api: Api;
  readonly namespace: string;
}

/** Much work may go on on the machine. */
export const PATIENCE_SECONDS = 600;
/** Many releases go on at the same time, and each look is a request. */
const LOOK_EVERY_MS = 250;
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Resolves with false. */
const pause = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(() => resolve(false), ms));

export class Routed {
  readonly place: Place;
  readonly options: RoutedOptions;
  /** The user's own route. */
  route: object;

  constructor(place: Place, options: RoutedOptions) {
    this.place = place;
    this.options = options;
    this.route = options.route;
  }

  /** The first version serves, and the Rollout is Healthy. */
  async create(): Promise<void> {
    const { name, route } = this;
    const { kind, replicas, steps = [], graceSeconds, version, preStopSeconds = PRE_STOP_SECONDS } = this.options;
    const labels = { app: name };
    const image = this.imageOf(version);
    await this.apply(
      deployment({ name, image, replicas, labels, preStopSeconds }),
      service(name, labels),
      route,
      this.options.rollout ?? rollout({ name, kind, steps, graceSeconds }),
    );
    await this.until('a Healthy Rollout', async () => {
      const { status } = await this.deployment();
      return (await this.rollout()).status?.phase === 'Healthy' && status?.availableReplicas === replicas;
    });
  }

  get name(): string {
    return this.options.name;
  }

  get namespace(): string {
    return this.place.namespace;
  }

  imageOf(version: string): string {
    return `${this.options.image}:${version}`;
  }

  get #resource(): Resource {
    return this.options.kind === 'HTTPRoute' ? HTTP_ROUTES : GRPC_ROUTES;
  }

  apply(...objects: object[]): Promise<string> {
    const { applyFlags = [] } = this.options;
    const args = ['apply', ...applyFlags, '-n', this.namespace, '-f', '-'];
    return this.place.client.kubectl(args, { input: manifest(...objects) });
  }

  kubectl(...args: string[]): Promise<string> {
    return this.place.client.kubectl([...args, '-n', this.namespace]);
  }

  version(version: string): Promise<string> {
    return this.kubectl('set', 'image', `deployment/${this.name}`, `web=${this.imageOf(version)}`);
  }

  approve(): Promise<unknown> {
    const { name, namespace } = this;
    return this.place.api.request({
      method: 'PATCH',
      path: pathOf(ROLLOUTS, { namespace, name, subresource: 'status' }),
      contentType: 'application/merge-patch+json',
      body: { status: { canaryStatus: { currentStepState: 'StepReady' } } },
    });
  }

  deleteRollout(): Promise<string> {
    return this.kubectl('delete', 'rollouts.rollouts.kruise.io', this.name, '--wait=false');
  }

  /** While the program does not answer, the API server may refuse what a user does. */
  async untilAccepted(what: string, act: () => Promise<unknown>): Promise<void> {
    let refusal: unknown;
    const isAccepted = (): Promise<boolean> =>
      act().then(
        () => true,
        (error: unknown) => ((refusal = error), false),
      );
    const look = async (): Promise<boolean> => (await isAccepted()) || (await pause(LOOK_EVERY_MS));
    await until(look, () => `${what} of ${this.name}: ${String(refusal)}`, PATIENCE_SECONDS);
  }

  /** The gateways have seen the user's own route, and have had the time to follow it. */
  async untilUserRoute(): Promise<void> {
    await this.until('the user’s own route', async () => {
      const { metadata, spec, status } = await this.liveRoute();
      const refs = spec.rules?.flatMap(({ backendRefs }) => backendRefs ?? []) ?? [];
      const seen =
        status?.parents?.flatMap(({ conditions }) => conditions.map((each) => each.observedGeneration)) ?? [];
      return refs.every(({ name }) => name === this.name) && seen.every((each) => each === metadata.generation);
    });
    await pause(this.options.graceSeconds * 1000);
  }

  rollout(): Promise<Rollout> {
    return getObject<Rollout>(this.place.api, ROLLOUTS, { namespace: this.namespace, name: this.name });
  }

  deployment(): Promise<Deployment> {
    return getObject<Deployment>(this.place.api, DEPLOYMENTS, { namespace: this.namespace, name: this.name });
  }

  liveRoute(): Promise<HttpRoute> {
    return getObject<HttpRoute>(this.place.api, this.#resource, { namespace: this.namespace, name: this.name });
  }

  serviceOf(suffix: string): Promise<KubeObject | undefined> {
    return findObject(this.place.api, SERVICES, { namespace: this.namespace, name: `${this.name}-${suffix}` });
  }

  /** By the tag of their image, those that do not end. */
  async pods(): Promise<Readonly<Record<string, number>>> {
    const query = { labelSelector: `app=${this.name}` };
    const list = await this.place.api.request({
      method: 'GET',
      path: pathOf(PODS, { namespace: this.namespace }),
      query,
    });
    const counts: Record<string, number> = {};
    for (const { metadata, spec } of (list as { readonly items: readonly PodOf[] }).items) {
      const tag = spec.containers[0]?.image.split(':').at(-1) ?? '';
      if (metadata.deletionTimestamp === undefined) counts[tag] = (counts[tag] ?? 0) + 1;
    }
    return counts;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const look = async (): Promise<boolean> => (await holds()) || (await pause(LOOK_EVERY_MS));
    try {
      await until(look, () => `${what} of ${this.name}`, PATIENCE_SECONDS);
    } catch (error) {
      const { message, canaryStatus } = (await this.rollout().catch(() => undefined))?.status ?? {};
      const { currentStepState, traffic } = canaryStatus ?? {};
      const state = JSON.stringify([message, currentStepState, traffic, await this.pods()]);
      throw new Error(`${String(error)}: ${state}`, { cause: error });
    }
  }

  untilPaused(step: number): Promise<void> {
    return this.until(`the pause of step ${step}`, async () => {
      const canary = (await this.rollout()).status?.canaryStatus;
      return canary?.currentStepIndex === step && canary.currentStepState === 'StepPaused';
    });
  }

  /** Of the release of this version. */
  untilPausedOf(version: string, step: number): Promise<void> {
    return this.until(`the pause of step ${step} of ${version}`, async () => {
      const canary = (await this.rollout()).status?.canaryStatus;
      const has = (await this.pods())[version] !== undefined;
      return has && canary?.currentStepIndex === step && canary.currentStepState === 'StepPaused';
    });
  }

  untilReplicas(replicas: number): Promise<void> {
    return this.until(`${replicas} available Pods`, async () => {
      const { status } = await this.deployment();
      return status?.replicas === replicas && status.availableReplicas === replicas;
    });
  }

  untilPods(version: string): Promise<void> {
    return this.until(`Pods of ${version} only`, async () => {
      const pods = await this.pods();
      return Object.keys(pods).length === 1 && pods[version] === this.options.replicas;
    });
  }

  /** All Pods are of this version, no release is in progress, and nothing of it is left on the route and the Services. */
  async untilDone(version: string): Promise<void> {
    await this.untilPods(version);
    await this.until(`the end of ${version}`, async () => (await this.rollout()).status?.phase === 'Healthy');
    await this.checkNothingLeft();
  }

  async untilNothingLeft(): Promise<void> {
    const look = async (): Promise<boolean> =>
      this.checkNothingLeft().then(
        () => true,
        () => false,
      );
    await this.until('nothing of ours', look);
  }

  /** The route is the user's own to the letter, and the Services of the release are gone. */
  async checkNothingLeft(): Promise<void> {
    const { metadata, spec } = await this.liveRoute();
    const own = await this.stored();
    // The order of the fields of an object means nothing, and the embedded cluster keeps the one of the last write.
    assert.deepEqual(spec, own.spec, 'the route of the user');
    assert.deepEqual(metadata.labels, own.metadata.labels, 'its labels');
    const { [LAST_APPLIED]: applied, ...annotations } = metadata.annotations ?? {};
    assert.deepEqual(annotations, own.metadata.annotations ?? {}, 'its annotations');
    if (!this.options.applyFlags?.includes('--server-side'))
      assert.deepEqual(
        (JSON.parse(applied!) as HttpRoute).spec,
        (this.route as HttpRoute).spec,
        'what kubectl has noted',
      );
    const { managedFields = [] } = metadata as { readonly managedFields?: readonly { readonly manager?: string }[] };
    assert.deepEqual(
      managedFields.filter(({ manager }) => manager === FIELD_MANAGER),
      [],
      'its managers',
    );
    for (const suffix of ['canary', 'stable']) assert.equal(await this.serviceOf(suffix), undefined, suffix);
  }

  /** The user's route as the API server stores it where no release has ever been. */
  stored(): Promise<HttpRoute> {
    const { metadata, ...rest } = this.route as KubeObject;
    const body = { ...rest, metadata: { ...metadata, name: `${this.name}-never` } };
    const path = pathOf(this.#resource, { namespace: this.namespace });
    return this.place.api.request({ method: 'POST', path, body, query: { dryRun: 'All' } }) as Promise<HttpRoute>;
  }
}

interface PodOf extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}
