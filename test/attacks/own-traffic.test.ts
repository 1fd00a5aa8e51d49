// The chart's policies for traffic routing, in an API server without a webhook: what the program's own ServiceAccount may write, and how a Deployment is
// un-paused while requests depend on its versions.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import * as keys from '../../src/api/keys.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { render, type Manifest } from '../charts/render.ts';
import { template } from '../operator/world.ts';
import { temporaryFolder } from '../support/processes.ts';
import { HTTP_ROUTES } from './http-routes.ts';

const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const SERVICES = '/api/v1/namespaces/shop/services';
const ROUTES = '/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/shop/deployments';
const MERGE = 'application/merge-patch+json';
const ON = ['traffic.gatewayAPI.enabled=true', 'admissionPolicies.guard=true'];

const owner = { apiVersion: 'rollouts.kruise.io/v1beta1', kind: 'Rollout', name: 'web', uid: 'u-1', controller: true };
const LABELLED = { labels: { [keys.TRAFFIC]: 'web' }, ownerReferences: [owner] };
const service = (name: string, metadata: object = {}, spec: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec: { selector: { app: 'web', 'pod-template-hash': 'abc' }, ports: [{ port: 80 }], ...spec },
});

const ref = (name: string, weight?: number, more: object = {}): object => ({
  name,
  port: 80,
  ...(weight !== undefined && { weight }),
  ...more,
});
const path_ = (value: string): object => ({ path: { type: 'PathPrefix', value } });
const API = { matches: [path_('/api')], timeouts: { request: '5s' }, backendRefs: [ref('web', 9), ref('old', 1)] };
const ROOT = { matches: [path_('/')], filters: [{ type: 'URLRewrite' }], backendRefs: [ref('web')] };

describe('the traffic policies of the chart', () => {
  let sandbox: Sandbox;
  let manifests: readonly Manifest[];
  let admin: ApiClient;
  let program: ApiClient;
  const client = async (file: string): Promise<ApiClient> =>
    createApi({
      connection: await connect({ type: 'kubeconfig', files: [file] }),
      userAgent: 'test',
      fieldManager: 'test',
    });

  before(async () => {
    manifests = await render(...ON);
    sandbox = await startSandbox({ readyMs: 50 });
    const file = path.join(temporaryFolder('own-traffic'), 'kubeconfig');
    await writeFile(file, sandbox.kubeconfig, { mode: 0o600 });
    admin = await client(file);
    const post = (where: string, body: object): Promise<unknown> =>
      admin.request({ method: 'POST', path: where, body });
    for (const name of ['shop', 'tranche-system']) await post('/api/v1/namespaces', { metadata: { name } });
    await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', HTTP_ROUTES);
    for (const body of manifests.filter(
      ({ kind, metadata }) => /^Validating.*Policy/.test(kind) && /apart|own/.test(metadata.name),
    ))
      await post(body.kind === 'ValidatingAdmissionPolicy' ? POLICIES : POLICIES.replace(/ies$/, 'ybindings'), body);
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    for (const body of manifests)
      if (body.kind === 'ClusterRole' || body.kind === 'ClusterRoleBinding')
        await post(`${rbac}/${body.kind.toLowerCase()}s`, body);
    await post('/api/v1/namespaces/tranche-system/serviceaccounts', { metadata: { name: 'tranche' } });
    const { status } = (await post('/api/v1/namespaces/tranche-system/serviceaccounts/tranche/token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3600 },
    })) as { status: { token: string } };
    const own = path.join(temporaryFolder('own-traffic-sa'), 'kubeconfig');
    const config = parse(sandbox.kubeconfig) as object;
    await writeFile(own, JSON.stringify({ ...config, users: [{ name: 'admin', user: { token: status.token } }] }));
    program = await client(own);
  });
  after(async () => {
    admin.close();
    program.close();
    await sandbox.close();
  });

  describe('Services', () => {
    it('of a Rollout, with the label, can be created, changed and deleted', async () => {
      await program.request({ method: 'POST', path: SERVICES, body: service('web-canary', LABELLED) });
      const body = { spec: { selector: { 'pod-template-hash': 'def' } } };
      await program.request({ method: 'PATCH', path: `${SERVICES}/web-canary`, contentType: MERGE, body });
      await program.request({ method: 'DELETE', path: `${SERVICES}/web-canary` });
    });

    for (const [what, body] of [
      ['without the label', service('a', { ownerReferences: [owner] })],
      ['without an owner', service('a', { labels: LABELLED.labels })],
      ['of another owner', service('a', { ...LABELLED, ownerReferences: [{ ...owner, kind: 'ConfigMap' }] })],
      [
        'of another group',
        service('a', { ...LABELLED, ownerReferences: [{ ...owner, apiVersion: 'argoproj.io/v1' }] }),
      ],
      ['of type LoadBalancer', service('a', LABELLED, { type: 'LoadBalancer' })],
      ['of type ExternalName', service('a', LABELLED, { type: 'ExternalName', externalName: 'example.org' })],
      ['with externalIPs', service('a', LABELLED, { externalIPs: ['203.0.113.1'] })],
      ['for all Pods of an app', service('a', LABELLED, { selector: { app: 'web' } })],
    ] as const)
      it(`${what} cannot be created by the program`, async () => {
        await assert.rejects(program.request({ method: 'POST', path: SERVICES, body }), /the operator may write only/);
      });

    it('of users cannot be changed, taken over or deleted by the program', async () => {
      await admin.request({ method: 'POST', path: SERVICES, body: service('web') });
      const patches = [{ spec: { selector: { 'pod-template-hash': 'x' } } }, { metadata: LABELLED }];
      for (const body of patches)
        await assert.rejects(
          program.request({ method: 'PATCH', path: `${SERVICES}/web`, contentType: MERGE, body }),
          /only Services with the label/,
        );
      await assert.rejects(
        program.request({ method: 'DELETE', path: `${SERVICES}/web` }),
        /only Services with the label/,
      );
      await admin.request({ method: 'DELETE', path: `${SERVICES}/web` });
    });
  });

  describe('routes', () => {
    let count = 0;
    let name: string;
    beforeEach(async () => {
      name = `route-${++count}`;
      const metadata = { name, labels: { team: 'a' }, annotations: { note: 'b' }, finalizers: ['example.org/x'] };
      const spec = { parentRefs: [{ name: 'gw' }], hostnames: ['shop.example.org'], rules: [API, ROOT] };
      const body = { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata, spec };
      await admin.request({ method: 'POST', path: ROUTES, body });
    });
    const patch = (body: object, by = program): Promise<unknown> =>
      by.request({ method: 'PATCH', path: `${ROUTES}/${name}`, contentType: MERGE, body });
    const rules = (...all: object[]): object => ({ spec: { rules: all } });
    const mark = { labels: { [keys.TRAFFIC]: 'web' }, annotations: { [keys.HELD]: '{}' } };
    const legs = [ref('web', 0), ref('web-stable', 80), ref('web-canary', 20)];

    it('get other weights and the legs of a release, and are given back', async () => {
      const engaged = [
        { ...API, backendRefs: [...legs, ref('old', 10)] },
        { ...ROOT, backendRefs: legs },
      ];
      await patch({ metadata: mark, ...rules(...engaged) });
      const beta = { matches: [{ headers: [{ name: 'x-beta', value: '1' }] }], backendRefs: [ref('web-canary', 1)] };
      await patch(rules(beta, ...engaged));
      await patch({
        metadata: { labels: { [keys.TRAFFIC]: null }, annotations: { [keys.HELD]: null } },
        ...rules(API, ROOT),
      });
    });

    const gray = { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [{ name: 'x-lane', value: 'gray' }] } };
    const beta = [{ headers: [{ name: 'x-beta', value: '1' }] }];
    const laned = { ...ROOT, matches: beta, filters: [...ROOT.filters, gray] };

    it('get copies of rules that change headers, and are given back', async () => {
      await patch({ metadata: mark, ...rules(API, laned, ROOT) });
      await patch(rules(API, ROOT));
    });
    it('keep the rules of a user whose copies are removed', async () => {
      await patch(rules(API, laned, ROOT), admin);
      await assert.rejects(patch(rules(API, laned)), /only the backends of a rule/);
    });

    for (const [what, body, why] of [
      [
        'a copy that changes headers and has another backend',
        rules(API, { ...laned, backendRefs: API.backendRefs }, ROOT),
        /only the backends of a rule/,
      ],
      [
        'a copy that changes headers and does without a filter',
        rules(API, { ...laned, filters: [gray] }, ROOT),
        /only the backends of a rule/,
      ],
      ['another hostname', { spec: { hostnames: ['evil.example.org'] } }, /only the rules/],
      ['another Gateway', { spec: { parentRefs: [{ name: 'public' }] } }, /only the rules/],
      ['another backend', rules({ ...API, backendRefs: [ref('evil')] }, ROOT), /only to backends of the route/],
      [
        'a backend of another namespace',
        rules({ ...API, backendRefs: [ref('web', 1, { namespace: 'kube-system' })] }, ROOT),
        /only to backends of the route/,
      ],
      [
        'a backend of another kind',
        rules({ ...API, backendRefs: [ref('web', 1, { kind: 'ServiceImport' })] }, ROOT),
        /only to backends of the route/,
      ],
      ['one rule less', rules(ROOT), /only the backends of a rule/],
      ['one more rule', rules(API, { ...ROOT, matches: [path_('/admin')] }, ROOT), /only the backends of a rule/],
      ['another match', rules({ ...API, matches: [path_('/')] }, ROOT), /only the backends of a rule/],
      ['another timeout', rules({ ...API, timeouts: { request: '1s' } }, ROOT), /only the backends of a rule/],
      ['no filters', rules(API, { ...ROOT, filters: [] }), /only the backends of a rule/],
      ["a user's label", { metadata: { labels: { team: 'b' } } }, /only labels and annotations/],
      ["no user's annotation", { metadata: { annotations: { note: null } } }, /only labels and annotations/],
      ['a new annotation', { metadata: { annotations: { 'example.org/a': 'b' } } }, /only labels and annotations/],
      ['no finalizer', { metadata: { finalizers: null } }, /only labels and annotations/],
    ] as const)
      it(`cannot get ${what} from the program`, async () => {
        await assert.rejects(patch(body), why);
        await patch(body, admin);
      });
  });

  describe('a Deployment with requests in mode Apart', () => {
    const deployment = (name: string, traffic: string, spec: object): object => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, annotations: { [keys.TRAFFIC]: traffic } },
      spec: { replicas: 1, selector: { matchLabels: { app: 'demo' } }, template: template('v1'), ...spec },
    });
    const create = (name: string, traffic: string, spec: object): Promise<unknown> =>
      admin.request({ method: 'POST', path: DEPLOYMENTS, body: deployment(name, traffic, spec) });
    const patch = (name: string, body: object): Promise<unknown> =>
      admin.request({ method: 'PATCH', path: `${DEPLOYMENTS}/${name}`, contentType: MERGE, body });
    const unpause = { spec: { paused: false } };

    it('is not un-paused: the message has the two commands, and the second works', async () => {
      await create('apart', 'Apart', { paused: true });
      await patch('apart', { spec: { replicas: 2 } });
      const error = await patch('apart', unpause).then(
        () => assert.fail('it was un-paused'),
        (refused: Error) => refused,
      );
      assert.match(
        error.message,
        /first restore your own route: kubectl apply -f ROUTE\.yaml; then run: kubectl patch deployment apart -n shop -p '/,
      );
      const written = /-p '(.*)'/.exec(error.message)?.[1] ?? '';
      await patch('apart', JSON.parse(written) as object);
    });

    it('is not given back while Pods move', async () => {
      await create('moving', 'Apart', { minReadySeconds: 2147483646, progressDeadlineSeconds: 2147483647 });
      const back = { spec: { minReadySeconds: null, progressDeadlineSeconds: null } };
      await assert.rejects(patch('moving', back), /first restore your own route/);
      await patch('moving', { metadata: { annotations: { [keys.TRAFFIC]: null } }, ...back });
    });

    it('and one in mode Shared, where the Service of the user stays, is un-paused', async () => {
      await create('shared', 'Shared', { paused: true });
      await patch('shared', unpause);
    });
  });

  it('are not there by default', async () => {
    const text = JSON.stringify(await render('admissionPolicies.guard=true'));
    assert.doesNotMatch(text, /own-services|own-routes|tranche-apart|gateway\.networking\.k8s\.io"|endpointslices/);
  });
});
