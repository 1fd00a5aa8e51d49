// Every route that the engine writes is admitted by the CRDs of the Gateway API, and the user's route comes back byte for byte.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { globSync } from 'node:fs';
import path from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { DEFINITIONS } from '../../src/api/resources.ts';
import type { Route } from '../../src/api/traffic.ts';
import type { Effect } from '../../src/engine/decision.ts';
import type { TrafficProvider } from '../../src/engine/traffic/provider.ts';
import { providerOf, PROVIDERS } from '../../src/engine/traffic/registry.ts';
import { engageRoute, leaveRoute } from '../../src/engine/traffic/route.ts';
import { isRefusal } from '../../src/engine/traffic/rules.ts';
import { isEngaged, type Split } from '../../src/engine/traffic/split.ts';
import { serviceOf } from '../../src/engine/traffic/weights.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { pathOf } from '../../src/kube/path.ts';
import { apart, NAMESPACE, randomRules, randomSplit, route, shared } from '../engine/traffic/build.ts';
import { randomOf } from '../property/plan.ts';
import { findConformance, findGatewayApi } from '../support/gateway-api.ts';
import { temporaryFolder } from '../support/processes.ts';

const RANDOM_ROUTES = 40;
/** With annotations, so that the operator's own may come and go. */
const METADATA = { annotations: { 'example.com/of': 'the user' } };

const header = { name: 'x-canary', value: 'always' };
/** One of each kind. */
const SPLITS: readonly Split[] = [
  shared(66),
  apart(0),
  apart(50),
  apart(0, { matches: [{ headers: [header] }] }),
  apart(0, { matches: [{ headers: [header] }, { path: { value: '/shop' } }, { queryParams: [header] }] }),
  apart(0, { matches: [{ headers: [header] }], requestHeaderModifier: { set: [{ name: 'x-new', value: '1' }] } }),
];

/** The split for another Service of the user. */
const of = (split: Split, base: string): Split =>
  ({
    ...split,
    base,
    ...(split.canary !== undefined && { canary: `${base}-canary` }),
    ...(split.mode === 'Apart' && { stable: `${base}-stable` }),
  }) as Split;

describe('routes of a release on the CRDs of the Gateway API', () => {
  let sandbox: Sandbox;
  let api: ApiClient;
  let conformance: string;

  before(async function () {
    const [crds, manifests] = [await findGatewayApi('experimental'), await findConformance()];
    for (const found of [crds, manifests]) {
      if (!('missing' in found)) continue;
      process.stderr.write(`    skipped: ${found.missing}\n`);
      return this.skip();
    }
    if ('missing' in crds || 'missing' in manifests) return undefined;
    conformance = manifests.folder;
    sandbox = await startSandbox();
    const file = path.join(temporaryFolder('routes'), 'kubeconfig');
    await writeFile(file, sandbox.kubeconfig, { mode: 0o600 });
    api = createApi({
      connection: await connect({ type: 'kubeconfig', files: [file] }),
      userAgent: 'test',
      fieldManager: 'test',
    });
    for (const definition of crds.definitions.filter((file) => /_(http|grpc)routes\.yaml$/.test(file))) {
      const body: unknown = parse(await readFile(definition, 'utf8'));
      await api.request({ method: 'POST', path: pathOf(DEFINITIONS), body });
    }
  });
  after(async () => {
    api?.close();
    await sandbox?.close();
  });

  const at = ({ resource }: TrafficProvider, name?: string): string =>
    pathOf(resource, { namespace: NAMESPACE, ...(name && { name }) });
  const create = (provider: TrafficProvider, { spec }: Pick<Route, 'spec'>): Promise<Route> => {
    const { apiVersion, kind } = provider.resource;
    const body = { apiVersion, kind, metadata: { name: 'route', ...METADATA }, spec };
    return api.request({ method: 'POST', path: at(provider), body }) as Promise<Route>;
  };
  const remove = (provider: TrafficProvider): Promise<unknown> =>
    api.request({ method: 'DELETE', path: at(provider, 'route') });

  /** What is stored after the effects of the operator. */
  async function carriedOut(provider: TrafficProvider, before: Route, effects: readonly Effect[]): Promise<Route> {
    const [effect] = effects;
    if (effect === undefined) return before;
    assert.ok(effect.kind === 'Patch');
    return (await api.request({
      method: 'PATCH',
      path: at(provider, 'route'),
      body: effect.patch,
      contentType: 'application/json-patch+json',
    })) as Route;
  }

  /** From the user's route to each split and back. Returns how many splits the route can express. */
  async function tried(
    provider: TrafficProvider,
    stored: Route,
    splits: readonly Split[],
    what: string,
  ): Promise<number> {
    let live = stored;
    let said = 0;
    for (const split of splits) {
      const engagement = { rollout: 'web', split };
      const effects = engageRoute(provider, live, engagement);
      if (isRefusal(effects)) continue;
      said++;
      live = await carriedOut(provider, live, effects).catch((error: unknown) => {
        assert.fail(`${what}: ${(error as Error).message}\n${JSON.stringify(effects, null, 1)}`);
      });
      assert.deepEqual(
        engageRoute(provider, live, engagement),
        [],
        `${what}: the API server changes what the engine writes`,
      );
    }
    const left = await carriedOut(provider, live, leaveRoute(provider, live, splits[0]?.base ?? ''));
    // An API server sorts the fields of an object.
    assert.deepEqual(left.spec, stored.spec, what);
    assert.equal(isEngaged(left), false, what);
    assert.deepEqual(left.metadata.annotations, METADATA.annotations, what);
    return said;
  }

  it('go through all splits and back, for each Service of each manifest of the conformance tests', async () => {
    const files = globSync('**/*.yaml', { cwd: conformance });
    let [routes, said] = [0, 0];
    for (const file of files) {
      for (const document of parseAllDocuments(await readFile(path.join(conformance, file), 'utf8'))) {
        const manifest = document.toJS() as (Route & { readonly kind?: string }) | null;
        const provider = providerOf(manifest?.kind);
        if (manifest === null || provider === undefined) continue;
        const what = `${file}: ${manifest.metadata.name}`;
        const stored = await create(provider, manifest).catch((error: unknown) => {
          // Some manifests are there to be refused.
          if (error instanceof ApiError) return undefined;
          throw error;
        });
        if (stored === undefined) continue;
        const refs = (stored.spec.rules ?? []).flatMap(({ backendRefs = [] }) => backendRefs);
        const names = new Set(refs.flatMap((ref) => serviceOf(ref, NAMESPACE) ?? []));
        let now = stored;
        for (const name of names) {
          said += await tried(
            provider,
            now,
            SPLITS.map((split) => of(split, name)),
            `${what}, Service ${name}`,
          );
          now = (await api.request({ method: 'GET', path: at(provider, 'route') })) as Route;
        }
        routes += names.size > 0 ? 1 : 0;
        await remove(provider);
      }
    }
    process.stdout.write(`      ${routes} routes, ${said} splits\n`);
    assert.ok(routes > 50, `${routes} routes`);
    assert.ok(said > 200, `${said} splits`);
  });

  for (const provider of PROVIDERS) {
    it(`go through random splits and back: ${provider.resource.kind}`, async () => {
      let said = 0;
      for (let seed = 1; seed <= RANDOM_ROUTES; seed++) {
        const random = randomOf(seed);
        const stored = await create(provider, route(randomRules(provider, random)));
        const splits = [1, 2, 3].map(() => randomSplit(provider, random));
        said += await tried(provider, stored, splits, `seed ${seed}`);
        await remove(provider);
      }
      assert.ok(said > RANDOM_ROUTES, `${said} of ${3 * RANDOM_ROUTES} splits`);
    });
  }
});
