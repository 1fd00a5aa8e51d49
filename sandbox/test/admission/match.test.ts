// The requests that a webhook receives.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { AdmissionRequest, KubeObject } from '../../src/core/types.ts';
import { matchingType, type Match, type Rule } from '../../src/admission/match.ts';
import { createAdmission, type Admission } from '../../src/admission/index.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import { Registry } from '../../src/core/resources.ts';
import { Store } from '../../src/core/store.ts';
import { aDeployment, aRequest, aWorld, deployments, refusal } from './support.ts';

const anything: Rule = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] };
const registry = new Registry();
registry.add(deployments);

const matches = (match: Partial<Match>, request: AdmissionRequest = aRequest()): boolean => {
  const { store } = aWorld();
  return matchingType(request, { rules: [anything], ...match }, { store, registry }) !== undefined;
};

describe('Rules', () => {
  const rule = (more: Rule): boolean => matches({ rules: [{ ...anything, ...more }] });

  it('name operations, groups, versions and resources, or a star', () => {
    assert.equal(rule({ operations: ['CREATE', 'UPDATE'] }), true);
    assert.equal(rule({ operations: ['CREATE'] }), false);
    assert.equal(rule({ apiGroups: ['apps'] }), true);
    assert.equal(rule({ apiGroups: [''] }), false);
    assert.equal(rule({ apiVersions: ['v2'] }), false);
    assert.equal(rule({ resources: ['deployments'] }), true);
    assert.equal(rule({ resources: ['pods'] }), false);
  });

  it('name subresources', () => {
    const cases: [resources: string, main: boolean, scale: boolean][] = [
      ['*', true, false],
      ['*/*', true, true],
      ['deployments', true, false],
      ['deployments/*', true, true],
      ['deployments/scale', false, true],
      ['*/scale', false, true],
      ['deployments/status', false, false],
    ];
    for (const [resources, main, scale] of cases) {
      const rules = [{ ...anything, resources: [resources] }];
      assert.equal(matches({ rules }), main, resources);
      assert.equal(matches({ rules }, aRequest({ subresource: 'scale' })), scale, `${resources} for /scale`);
    }
  });

  it('name a scope, and a Namespace is cluster-scoped', () => {
    const inScope = (scope: string, request: AdmissionRequest): boolean =>
      matches({ rules: [{ ...anything, scope }] }, request);
    assert.equal(inScope('Namespaced', aRequest()), true);
    assert.equal(inScope('Cluster', aRequest()), false);
    const namespace = aRequest();
    Object.assign(namespace.attributes, { group: '', resource: 'namespaces', namespace: 'shop' });
    assert.equal(inScope('Cluster', namespace), true);
    assert.equal(inScope('Namespaced', namespace), false);
  });

  it('may be limited to names, and have exceptions', () => {
    assert.equal(rule({ resourceNames: ['web'] }), true);
    assert.equal(rule({ resourceNames: ['other'] }), false);
    assert.equal(matches({ excludeRules: [{ ...anything, resources: ['deployments'] }] }), false);
  });
});

describe('Selectors', () => {
  const without = aDeployment((d) => (d.metadata.labels = {}));

  it('match the old and the new object, so that removing a label has no effect', () => {
    const objectSelector = { matchLabels: { app: 'web' } };
    for (const [object, oldObject, expected] of [
      [aDeployment(), without, true],
      [without, aDeployment(), true],
      [null, aDeployment(), true],
      [without, without, false],
      [without, null, false],
    ] as [KubeObject | null, KubeObject | null, boolean][]) {
      assert.equal(matches({ objectSelector }, aRequest({ object, oldObject })), expected);
    }
  });

  it('match the labels of the namespace', () => {
    const namespaceSelector = (key: string, operator: string, values: string[]): Partial<Match> => ({
      namespaceSelector: { matchExpressions: [{ key, operator, values }] },
    });
    assert.equal(matches(namespaceSelector('env', 'In', ['production'])), true);
    assert.equal(matches(namespaceSelector('env', 'NotIn', ['production'])), false);
    assert.equal(matches(namespaceSelector('team', 'Exists', [])), false);
    const clusterScoped = aRequest();
    clusterScoped.attributes.namespace = '';
    assert.equal(matches(namespaceSelector('team', 'Exists', []), clusterScoped), true);
  });

  it('match the labels of a Namespace itself', () => {
    const request = aRequest({
      object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x', labels: { env: 'test' } } },
    });
    Object.assign(request.attributes, { group: '', resource: 'namespaces', namespace: 'x' });
    assert.equal(matches({ namespaceSelector: { matchLabels: { env: 'test' } } }, request), true);
    assert.equal(matches({ namespaceSelector: { matchLabels: { env: 'production' } } }, request), false);
  });
});

describe('Match conditions', () => {
  const world = (matchConditions: object[], failurePolicy = 'Fail'): Pick<Admission, 'validate'> => {
    const { admission, register, store } = aWorld();
    // Nobody listens there: a call shows as a failure.
    const clientConfig = { service: { namespace: 'none', name: 'none' } };
    register('validating', { name: 'a.test', clientConfig, matchConditions, failurePolicy });
    assert.equal(store.list('admissionregistration.k8s.io/validatingwebhookconfigurations').length, 1);
    return { validate: (request) => admission.validate(request) };
  };
  const condition = (expression: string): object => ({ name: 'c', expression });
  const paused = aDeployment((d) => (d.spec.paused = true));

  it('must all be true', async () => {
    const { validate } = world([
      condition('object.spec.?paused != oldObject.spec.?paused'),
      condition('request.userInfo.username == "eve"'),
    ]);
    await validate(aRequest());
    assert.match((await refusal(validate(aRequest({ object: paused })))).message!, /failed calling webhook/);
  });

  it('that fail refuse the request or skip the webhook, according to the failure policy', async () => {
    const broken = [condition('object.spec.paused == true')];
    const { code, message } = await refusal(world(broken).validate(aRequest()));
    assert.equal(code, 403);
    assert.equal(
      message,
      'deployments.apps "web" is forbidden: expression \'object.spec.paused == true\' resulted in error: no such key: paused',
    );
    await world(broken, 'Ignore').validate(aRequest());
  });

  it('that fail refuse the request before any call', async () => {
    const { admission, register } = aWorld();
    const clientConfig = { service: { namespace: 'none', name: 'none' } };
    register('validating', { name: 'a.test', clientConfig });
    register('validating', { name: 'b.test', clientConfig, matchConditions: [condition('object.none == 1')] });
    assert.equal((await refusal(admission.validate(aRequest()))).code, 403);
  });

  it('a false condition decides, even if others fail', async () => {
    await world([condition('object.spec.paused == true'), condition('false')]).validate(aRequest());
  });

  it('can check the permissions of the user', async () => {
    const store = new Store();
    const auth = {
      authorize: ({ user, verb, group, resource, name }: AdmissionRequest['attributes']) => ({
        allowed: `${user.username} ${verb} ${resource}.${group} ${name}` === 'eve breakglass deployments.apps web',
        reason: '',
      }),
    };
    store.commit('admissionregistration.k8s.io/validatingwebhookconfigurations', undefined, {
      apiVersion: '',
      kind: '',
      metadata: { name: 'a' },
      webhooks: [
        {
          name: 'a.test',
          clientConfig: { service: { namespace: 'none', name: 'none' } },
          rules: [anything],
          sideEffects: 'None',
          matchConditions: [
            condition("!authorizer.group('apps').resource('deployments').name('web').check('breakglass').allowed()"),
          ],
        },
      ],
    });
    const admission = createAdmission({ store, registry, clock: new VirtualClock(1), auth });
    await admission.validate(aRequest());
    const bob = aRequest();
    bob.attributes.user = { username: 'bob', groups: [] };
    assert.equal((await refusal(admission.validate(bob))).code, 500);
  });
});

describe('Webhooks and policies', () => {
  it('never receive requests about themselves', async () => {
    const { admission, register } = aWorld();
    register('validating', { name: 'a.test', clientConfig: { service: { namespace: 'none', name: 'none' } } });
    const request = aRequest();
    Object.assign(request.attributes, {
      group: 'admissionregistration.k8s.io',
      resource: 'validatingwebhookconfigurations',
    });
    await admission.validate(request);
  });

  it('match a resource without reading the object', () => {
    const { admission, register } = aWorld();
    const { attributes } = aRequest();
    assert.equal(admission.concerns(attributes), false);
    register('mutating', { name: 'a.test', rules: [{ ...anything, resources: ['pods'] }] });
    assert.equal(admission.concerns(attributes), false);
    register('mutating', { name: 'b.test', rules: [{ ...anything, apiGroups: ['apps'], resources: ['deployments'] }] });
    assert.equal(admission.concerns(attributes), true);
    assert.equal(admission.concerns({ ...attributes, subresource: 'status' }), false);
  });
});

describe('A webhook in this process', () => {
  const hook = (phase: 'mutate' | 'validate', review: () => object): object => ({
    name: 'in.test',
    phase,
    concerns: ({ resource }: { resource: string }) => resource === 'deployments',
    review,
  });

  it('answers the same reviews without a socket', async () => {
    const { admission } = aWorld({
      inProcess: [
        hook('mutate', () => ({
          allowed: true,
          patch: [{ op: 'add', path: '/spec/paused', value: true }],
          warnings: ['held'],
        })) as never,
        hook('validate', () => ({ allowed: false, status: { message: 'no' } })) as never,
      ],
    });
    const request = aRequest();
    assert.equal(admission.concerns(request.attributes), true);
    await admission.mutate(request);
    assert.equal(request.object!.spec.paused, true);
    assert.deepEqual(request.warnings, ['held']);
    assert.equal(
      (await refusal(admission.validate(request))).message,
      'admission webhook "in.test" denied the request: no',
    );
  });

  it('that throws is a call that failed', async () => {
    const broken = hook('validate', () => {
      throw new Error('out of order');
    });
    const { admission } = aWorld({ inProcess: [broken as never] });
    assert.equal(
      (await refusal(admission.validate(aRequest()))).message,
      'Internal error occurred: failed calling webhook "in.test": out of order',
    );
  });
});
