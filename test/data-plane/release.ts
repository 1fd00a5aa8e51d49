// A routed Deployment with clients at both gateways, and what a test asks about their requests.
import assert from 'node:assert/strict';
import { CountingClient, GRPC_SERVICE, type ClientOptions } from './client/index.ts';
import { byVersion, sayShare, select, shareOf, type Answer } from './client/counts.ts';
import { grpcRoute, grpcRule, httpRoute, leg } from './objects.ts';
import { Routed } from './routed.ts';
import { checkNoneFailed, NAMESPACE, next, untilSeen } from './stage.ts';
import { GATEWAYS, type GatewayName, type Whole } from './whole.ts';

export interface ReleaseOptions {
  readonly name: string;
  readonly steps?: readonly object[];
  /** Instead of one with steps. */
  readonly rollout?: object;
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

export class Release extends Routed {
  readonly whole: Whole;
  readonly #client: NonNullable<ReleaseOptions['client']>;
  readonly #clients = new Map<GatewayName, CountingClient>();

  constructor(whole: Whole, { name, kind = 'HTTPRoute', replicas = 5, client: of = {}, ...more }: ReleaseOptions) {
    const { client, api } = whole;
    super(
      { client, api, namespace: NAMESPACE },
      {
        ...{ ...more, name, kind, replicas, graceSeconds: GRACE_SECONDS, route: routeOf(name, kind) },
        ...{ image: 'web', version: 'v1' },
      },
    );
    this.whole = whole;
    this.#client = of;
  }

  /** v1 serves, the Rollout is Healthy, and both gateways answer. */
  async begin(): Promise<void> {
    const { name } = this;
    await this.create();
    for (const gateway of GATEWAYS) {
      const first = this.#clientOf(gateway, 20);
      try {
        await untilSeen(first, `answers of ${name} at ${gateway}`, (answers) =>
          answers.every(({ problem }) => problem === undefined),
        );
      } finally {
        await first.stop();
      }
    }
    for (const gateway of GATEWAYS) this.#clients.set(gateway, this.#clientOf(gateway, PER_SECOND));
  }

  #clientOf(gateway: GatewayName, perSecond: number): CountingClient {
    const { url } = this.whole.fronts[gateway];
    const manners = this.options.kind === 'GRPCRoute' ? (['grpc'] as const) : (['kept', 'new'] as const);
    return new CountingClient({ url, host: hostOf(this.name), perSecond, manners, ...this.#client });
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
    try {
      await next(client, 250);
    } finally {
      await client.stop();
    }
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

  /** Requests with the mark arrive with this header (undefined: without one). Returns a check that all sent since then did, and others never with one. */
  async untilEchoed(echoed: string | undefined): Promise<() => Promise<void>> {
    const isSo = (answers: readonly Answer[]): boolean =>
      answers.length > 0 && answers.every((answer) => answer.echoed === echoed);
    await this.until(`the header ${echoed}`, async () =>
      (await this.nextAnswers(40)).every(([, answers]) => isSo(select(answers, { marked: true }))),
    );
    const since = [...this.#clients].map(([gateway, client]) => ({ gateway, client, fromMs: client.nowMs }));
    return async () => {
      await this.nextAnswers(40);
      for (const { gateway, client, fromMs } of since) {
        const marked = select(client.answers, { marked: true, fromMs });
        assert.ok(isSo(marked), `${gateway}: ${JSON.stringify(marked)}`);
        const others = select(client.answers, { marked: false });
        assert.ok(
          others.every((answer) => answer.echoed === undefined),
          `${gateway}: not marked`,
        );
      }
    };
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
