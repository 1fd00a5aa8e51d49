// A Deployment, its Service, route and Rollout, clients at both gateways, and what a test asks about all of them.
import assert from 'node:assert/strict';
import { DEPLOYMENTS, PODS, ROLLOUTS, SERVICES } from '../../src/api/resources.ts';
import type { Deployment, KubeObject, Rollout } from '../../src/api/types.ts';
import { findObject, getObject } from '../../src/kube/get.ts';
import { pathOf } from '../../src/kube/path.ts';
import { until } from '../support/until.ts';
import { CountingClient, GRPC_SERVICE, type ClientOptions } from './client/index.ts';
import { byVersion, sayShare, select, shareOf, type Answer } from './client/counts.ts';
import { GRPC_ROUTES, HTTP_ROUTES } from './gateway/resources.ts';
import type { HttpRoute } from './gateway/types.ts';
import { deployment, grpcRoute, grpcRule, httpRoute, leg, manifest, rollout, service } from './objects.ts';
import { checkNoneFailed, NAMESPACE, next, PATIENCE_SECONDS, untilSeen } from './stage.ts';
import { GATEWAYS, type GatewayName, type Whole } from './whole.ts';

export interface ReleaseOptions {
  readonly name: string;
  readonly steps: readonly object[];
  readonly kind?: 'HTTPRoute' | 'GRPCRoute';
  readonly replicas?: number;
  readonly client?: Pick<ClientOptions, 'mark' | 'echo'>;
}

/** Longer than the lags of both gateways. */
const GRACE_SECONDS = 5;
/** For each gateway. All releases of a test together stay below 500. */
const PER_SECOND = 8;
/** For a share, so that it needs no long time. */
const BURST_PER_SECOND = 50;
/** Many releases go on at the same time, and each look is a request. */
const LOOK_EVERY_MS = 250;
const namespace = NAMESPACE;

/** Resolves with false. */
const pause = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(() => resolve(false), ms));

export class Release {
  readonly whole: Whole;
  readonly name: string;
  readonly #options: Required<ReleaseOptions>;
  readonly #clients = new Map<GatewayName, CountingClient>();

  constructor(whole: Whole, options: ReleaseOptions) {
    this.whole = whole;
    this.name = options.name;
    this.#options = { kind: 'HTTPRoute', replicas: 5, client: {}, ...options };
  }

  /** v1 serves, the Rollout is Healthy, and both gateways answer. */
  async begin(): Promise<void> {
    const { name } = this;
    const { kind, replicas, steps } = this.#options;
    const labels = { app: name };
    await this.apply(
      deployment({ name, image: 'web:v1', replicas, labels }),
      service(name, labels),
      this.route(),
      rollout({ name, kind, steps, graceSeconds: GRACE_SECONDS }),
    );
    await this.until('a Healthy Rollout', async () => {
      const { status } = await this.deployment();
      return (await this.rollout()).status?.phase === 'Healthy' && status?.availableReplicas === replicas;
    });
    for (const gateway of GATEWAYS) {
      const first = this.#clientOf(gateway, 20);
      await untilSeen(first, `answers of ${name} at ${gateway}`, (answers) =>
        answers.every(({ problem }) => problem === undefined),
      ).finally(() => first.stop());
    }
    for (const gateway of GATEWAYS) this.#clients.set(gateway, this.#clientOf(gateway, PER_SECOND));
  }

  #clientOf(gateway: GatewayName, perSecond: number): CountingClient {
    const { kind, client } = this.#options;
    const manners = kind === 'GRPCRoute' ? (['grpc'] as const) : (['kept', 'new'] as const);
    return new CountingClient({ url: this.whole.fronts[gateway].url, host: this.host, perSecond, manners, ...client });
  }

  get host(): string {
    return `${this.name}.example.com`;
  }

  /** The user's own route. */
  route(): object {
    const { name } = this;
    const ref = { name };
    return this.#options.kind === 'HTTPRoute'
      ? httpRoute({ name, gateways: GATEWAYS, hostnames: [this.host], rules: [{ backendRefs: [leg(ref)] }] })
      : grpcRoute({ name, gateways: GATEWAYS, hostnames: [this.host], rules: [grpcRule(GRPC_SERVICE, [ref])] });
  }

  apply(...objects: object[]): Promise<string> {
    return this.whole.client.kubectl(['apply', '-n', namespace, '-f', '-'], { input: manifest(...objects) });
  }

  kubectl(...args: string[]): Promise<string> {
    return this.whole.client.kubectl([...args, '-n', namespace]);
  }

  version(version: string): Promise<string> {
    return this.kubectl('set', 'image', `deployment/${this.name}`, `web=web:${version}`);
  }

  approve(): Promise<unknown> {
    const { name } = this;
    return this.whole.api.request({
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
    await pause(GRACE_SECONDS * 1000);
  }

  rollout(): Promise<Rollout> {
    return getObject<Rollout>(this.whole.api, ROLLOUTS, { namespace, name: this.name });
  }

  deployment(): Promise<Deployment> {
    return getObject<Deployment>(this.whole.api, DEPLOYMENTS, { namespace, name: this.name });
  }

  liveRoute(): Promise<HttpRoute> {
    const resource = this.#options.kind === 'HTTPRoute' ? HTTP_ROUTES : GRPC_ROUTES;
    return getObject<HttpRoute>(this.whole.api, resource, { namespace, name: this.name });
  }

  serviceOf(suffix: string): Promise<KubeObject | undefined> {
    return findObject(this.whole.api, SERVICES, { namespace, name: `${this.name}-${suffix}` });
  }

  /** By the tag of their image, those that do not end. */
  async pods(): Promise<Readonly<Record<string, number>>> {
    const query = { labelSelector: `app=${this.name}` };
    const list = await this.whole.api.request({ method: 'GET', path: pathOf(PODS, { namespace }), query });
    const counts: Record<string, number> = {};
    for (const { metadata, spec } of (list as { readonly items: readonly PodOf[] }).items) {
      const tag = spec.containers[0]?.image.split(':')[1] ?? '';
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
      return Object.keys(pods).length === 1 && pods[version] === this.#options.replicas;
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

  async checkNothingLeft(): Promise<void> {
    const { metadata, spec } = await this.liveRoute();
    const own = this.route() as HttpRoute;
    const refs = (route: HttpRoute) => route.spec.rules?.map(({ backendRefs }) => backendRefs?.map(({ name }) => name));
    assert.deepEqual(refs({ metadata, spec }), refs(own), 'the refs of the user');
    const ours = Object.keys({ ...metadata.labels, ...metadata.annotations }).filter((key) => key.includes('tranche'));
    assert.deepEqual(ours, []);
    for (const suffix of ['canary', 'stable']) assert.equal(await this.serviceOf(suffix), undefined, suffix);
  }

  /** Of the requests that are sent from now on, this share, from 0 to 1, goes to the version, at both gateways. */
  async checkShare(version: string, expected: number): Promise<void> {
    for (const gateway of GATEWAYS) {
      const found = shareOf(await this.#burst(gateway), version);
      assert.ok(
        found.requests > 0 && found.low <= expected && expected <= found.high,
        `${gateway}: ${version} is to get ${100 * expected} % and gets ${sayShare(found)}`,
      );
    }
  }

  async #burst(gateway: GatewayName): Promise<readonly Answer[]> {
    const client = this.#clientOf(gateway, BURST_PER_SECOND);
    await next(client, 250).finally(() => client.stop());
    checkNoneFailed(client.answers, this.whole.fronts[gateway]);
    return client.answers;
  }

  /** The gateways have forgotten the Pods of other versions. */
  async untilOnly(version: string): Promise<void> {
    await this.until(`answers of ${version} only`, async () =>
      (await this.nextAnswers(30)).every(([, answers]) => Object.keys(byVersion(answers)).join() === version),
    );
  }

  /** Of the requests that are sent from now on, all with the mark go to the version, with this header; the others go to another one, without it. */
  async checkMarked(version: string, other: string, echoed: string): Promise<void> {
    for (const gateway of GATEWAYS) {
      const answers = await this.#burst(gateway);
      const said = (marked: boolean): readonly string[] => [
        ...new Set(select(answers, { marked }).map((answer) => `${answer.version} ${answer.echoed ?? ''}`)),
      ];
      assert.deepEqual([said(true), said(false)], [[`${version} ${echoed}`], [`${other} `]], gateway);
    }
  }

  async nextAnswers(requests: number): Promise<readonly (readonly [GatewayName, readonly Answer[]])[]> {
    return Promise.all(
      [...this.#clients].map(async ([gateway, client]) => [gateway, await next(client, requests)] as const),
    );
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.stop()));
  }

  /** Stops the clients. Every request was answered by a Pod. */
  async checkNoneFailed(): Promise<void> {
    await this.nextAnswers(30);
    await this.stop();
    for (const [gateway, client] of this.#clients) {
      checkNoneFailed(client.answers, this.whole.fronts[gateway]);
      assert.equal(client.skipped, 0, `${gateway}: requests that were not sent`);
    }
  }
}

interface PodOf extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}
