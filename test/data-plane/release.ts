// A routed Deployment with clients at both gateways, and what a test asks about their requests.
import assert from 'node:assert/strict';
import { CountingClient, GRPC_SERVICE, type ClientOptions } from './client/index.ts';
import { byVersion, sayShare, select, shareOf, type Answer, type Selection } from './client/counts.ts';
import { grpcRoute, grpcRule, httpRoute, leg } from './objects.ts';
import { Routed } from './routed.ts';
import { checkNoneFailed, NAMESPACE, next, untilSeen } from './stage.ts';
import { GATEWAYS, type GatewayName, type Whole } from './whole.ts';

export interface ReleaseOptions {
  readonly name: string;
  readonly steps: readonly object[];
  readonly kind?: 'HTTPRoute' | 'GRPCRoute';
  readonly replicas?: number;
  /** For each gateway. */
  readonly perSecond: number;
  readonly mark?: ClientOptions['mark'];
}

/** Longer than the lags of both gateways. */
const GRACE_SECONDS = 3;

export class Release extends Routed {
  readonly whole: Whole;
  readonly #perSecond: number;
  readonly #mark: ClientOptions['mark'];
  readonly #clients = new Map<GatewayName, CountingClient>();

  constructor(whole: Whole, { name, steps, perSecond, mark, kind = 'HTTPRoute', replicas = 10 }: ReleaseOptions) {
    const { client, api } = whole;
    super(
      { client, api, namespace: NAMESPACE },
      {
        ...{ name, steps, kind, replicas, graceSeconds: GRACE_SECONDS, route: routeOf(name, kind) },
        ...{ image: 'web', version: 'v1' },
      },
    );
    this.whole = whole;
    this.#perSecond = perSecond;
    this.#mark = mark;
  }

  /** v1 serves, the Rollout is Healthy, and both gateways answer. */
  async begin(): Promise<void> {
    const { name, whole } = this;
    await this.create();
    for (const gateway of GATEWAYS) {
      const options: ClientOptions = {
        url: whole.fronts[gateway].url,
        host: hostOf(name),
        perSecond: this.#perSecond,
        manners: this.options.kind === 'GRPCRoute' ? ['grpc'] : ['kept', 'new'],
        ...(this.#mark ? { mark: this.#mark } : {}),
      };
      const first = new CountingClient({ ...options, perSecond: 20 });
      await untilSeen(first, `answers of ${name} at ${gateway}`, (answers) =>
        answers.every(({ problem }) => problem === undefined),
      ).finally(() => first.stop());
      this.#clients.set(gateway, new CountingClient(options));
    }
  }

  /** Of the requests that are sent from now on, this share, from 0 to 1, goes to the version, at both gateways. */
  async checkShare(version: string, expected: number, of: Selection = {}, requests = 300): Promise<void> {
    for (const [gateway, answers] of await this.nextAnswers(requests)) {
      const found = shareOf(select(answers, of), version);
      assert.ok(
        found.requests > 0 && found.low <= expected && expected <= found.high,
        `${gateway}: ${version} is to get ${100 * expected} % and gets ${sayShare(found)}`,
      );
    }
  }

  /** All of the requests that are sent from now on, and are of this kind, go to the version. */
  async checkOnly(version: string, of: Selection): Promise<void> {
    for (const [gateway, answers] of await this.nextAnswers(200)) {
      const counts = byVersion(select(answers, of));
      assert.deepEqual(Object.keys(counts), [version], `${gateway}: ${JSON.stringify(counts)}`);
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

const hostOf = (name: string): string => `${name}.example.com`;

/** The user's own route. */
const routeOf = (name: string, kind: 'HTTPRoute' | 'GRPCRoute'): object => {
  const of = { name, gateways: GATEWAYS, hostnames: [hostOf(name)] };
  return kind === 'HTTPRoute'
    ? httpRoute({ ...of, rules: [{ backendRefs: [leg({ name })] }] })
    : grpcRoute({ ...of, rules: [grpcRule(GRPC_SERVICE, [{ name }])] });
};
