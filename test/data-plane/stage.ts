// A cluster whose Pods serve, a gateway in front of them, and what tests of traffic do with both.
import assert from 'node:assert/strict';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { Client } from '../e2e/harness/client.ts';
import { startSandbox } from '../e2e/harness/cluster.ts';
import { findGatewayApi } from '../support/gateway-api.ts';
import { temporaryFolder } from '../support/processes.ts';
import { findProxy } from '../support/proxies.ts';
import { until } from '../support/until.ts';
import type { CountingClient } from './client/index.ts';
import { PATIENCE_SECONDS } from './routed.ts';
import { byVersion, failed, sayFailures, select, type Answer, type Selection } from './client/counts.ts';
import { Gateway, type Lags } from './gateway/index.ts';
import { startTraefik } from './traefik.ts';

export const GATEWAY = 'web';
export const NAMESPACE = 'default';
export const FLAGS = ['--serve'];

/** Programs and files from outside, or why they are not there. */
export interface Outside {
  readonly envoy: string;
  readonly traefik: string;
  readonly definitions: readonly string[];
}

export async function findOutside(): Promise<Outside | { readonly missing: string }> {
  const [gatewayApi, envoy, traefik] = [await findGatewayApi(), await findProxy('envoy'), await findProxy('traefik')];
  for (const found of [gatewayApi, envoy, traefik]) if ('missing' in found) return { missing: found.missing };
  if ('missing' in gatewayApi || 'missing' in envoy || 'missing' in traefik) throw new Error('found nothing');
  return { envoy: envoy.program, traefik: traefik.program, definitions: gatewayApi.definitions };
}

/** For `before`: skips the suite with a printed reason. */
export async function outsideOrSkip(suite: Mocha.Context): Promise<Outside> {
  const outside = await findOutside();
  if (!('missing' in outside)) return outside;
  process.stderr.write(`    skipped: ${outside.missing}\n`);
  return suite.skip();
}

export interface Plain {
  readonly client: Client;
  readonly api: ApiClient;
  close(): Promise<void>;
}

/** The embedded cluster with the CRDs of the Gateway API, and nothing of ours in it. */
export async function startPlain({ definitions }: Outside): Promise<Plain> {
  const home = temporaryFolder('traffic');
  const kubeconfig = `${home}/kubeconfig`;
  const sandbox = await startSandbox(kubeconfig, 200, FLAGS);
  const client = new Client(kubeconfig, home);
  await installDefinitions(client, definitions);
  const api = await apiOf(kubeconfig);
  return {
    client,
    api,
    async close() {
      api.close();
      await sandbox.stop();
    },
  };
}

export const installDefinitions = (client: Client, definitions: readonly string[]): Promise<string> =>
  client.kubectl(['create', ...definitions.flatMap((file) => ['-f', file])]);

export async function apiOf(kubeconfig: string, connections?: number): Promise<ApiClient> {
  const connection = await connect({ type: 'kubeconfig', files: [kubeconfig] });
  return createApi({ connection, userAgent: 'test', fieldManager: 'test', ...(connections && { connections }) });
}

/** A gateway as a client sees it. */
export interface Front {
  readonly url: URL;
  readonly problems: readonly string[];
  stop(): Promise<void>;
}

export type Kind = 'envoy' | 'traefik';

/** How late each part of Envoy's gateway is, unless a test wants something else. */
export const usualLags = (): Lags => ({ routes: 300, services: 100, endpoints: 500, status: 50 });

export const startFront = (
  kind: Kind,
  { client, api }: Pick<Plain, 'client' | 'api'>,
  { envoy, traefik }: Outside,
  { lags = usualLags(), name = GATEWAY }: { readonly lags?: Lags; readonly name?: string } = {},
): Promise<Front> =>
  kind === 'envoy'
    ? Gateway.start({ api, namespace: NAMESPACE, name, envoy, lags })
    : startTraefik({ client, namespace: NAMESPACE, name, traefik });

/** Waits until so many requests, sent from now on, have been answered. */
export async function next(client: CountingClient, requests: number): Promise<readonly Answer[]> {
  const fromMs = client.nowMs;
  const those = (): readonly Answer[] => select(client.answers, { fromMs });
  await until(
    () => those().length >= requests,
    () => `${requests} answers: ${those().length}`,
    PATIENCE_SECONDS,
  );
  return those();
}

/** Waits until a look at the answers to the newest 40 requests says so. */
export async function untilSeen(
  client: CountingClient,
  what: string,
  holds: (answers: readonly Answer[]) => boolean,
  of: Selection = {},
): Promise<void> {
  let last: readonly Answer[] = [];
  await until(
    async () => holds((last = select(await next(client, 40), of))),
    () => `${what}: ${JSON.stringify(byVersion(last))} ${sayFailures(last)}`,
    PATIENCE_SECONDS,
  );
}

/** Every request was answered by a Pod. */
export function checkNoneFailed(answers: readonly Answer[], front: Front): void {
  assert.ok(answers.length > 0, 'no request was sent');
  assert.equal(failed(answers).length, 0, `${sayFailures(answers)}\n${front.problems.slice(-10).join('\n')}`);
}
