// Webhooks and policies in the whole pipeline of a cluster: answers and stored objects.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { ADMIN, Cluster } from '../../src/cluster.ts';
import { VirtualClock } from '../../src/core/clock.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { aWebhook, patchOf, type Stub } from './support.ts';

const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const REGISTRATION = '/apis/admissionregistration.k8s.io/v1';

const stubs: Stub[] = [];
const webhook = async (...args: Parameters<typeof aWebhook>): Promise<Stub> => {
  const stub = await aWebhook(...args);
  stubs.push(stub);
  return stub;
};
afterEach(() => {
  for (const stub of stubs.splice(0)) stub.close();
});

interface Answer {
  status: number;
  warning: string | undefined;
  body: KubeObject & { message?: string };
}

type Send = (
  method: string,
  path: string,
  body?: object,
  more?: { type?: string | undefined; query?: string; as?: string },
) => Promise<Answer>;

const aCluster = (clock = new VirtualClock(1)): Send => {
  const cluster = new Cluster({ clock });
  return async (method, path, body, { type = 'application/json', query = '', as } = {}) => {
    const response = await cluster.handle({
      method,
      path,
      query: new URLSearchParams(query),
      headers: {
        'content-type': type,
        ...(as ? { 'impersonate-user': as, 'impersonate-group': 'system:masters' } : {}),
      },
      body: body && Buffer.from(JSON.stringify(body)),
      user: ADMIN,
    });
    return { status: response.status, warning: response.headers['warning'], body: response.body as Answer['body'] };
  };
};

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image: 'web:1' }] } },
  },
};
const newImage = { spec: { template: { spec: { containers: [{ name: 'main', image: 'web:2' }] } } } };
const STRATEGIC = { type: 'application/strategic-merge-patch+json' };

const rules = [
  {
    operations: ['CREATE', 'UPDATE', 'DELETE'],
    apiGroups: ['apps'],
    apiVersions: ['v1'],
    resources: ['deployments', 'deployments/scale'],
  },
];
const configuration = (kind: string, stub: Stub, more: object = {}): object => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: `${kind}WebhookConfiguration`,
  metadata: { name: 'hooks' },
  webhooks: [
    {
      name: 'hook.example.com',
      clientConfig: stub.clientConfig,
      rules,
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      ...more,
    },
  ],
});

const created = async (send: Send, path: string, body: object): Promise<void> => {
  const { status, body: answer } = await send('POST', path, body);
  assert.equal(status, 201, answer.message);
};

describe('Webhooks in a cluster', () => {
  it('change what is stored, and warn the client', async () => {
    const stub = await webhook(() => ({
      ...patchOf({ op: 'add', path: '/metadata/annotations', value: { by: 'hook' } }),
      warnings: ['mind "this"'],
    }));
    const send = aCluster();
    await created(send, `${REGISTRATION}/mutatingwebhookconfigurations`, configuration('Mutating', stub));
    const { status, warning, body } = await send('POST', DEPLOYMENTS, deployment);
    assert.equal(status, 201);
    assert.equal(warning, '299 - "mind \\"this\\""');
    assert.deepEqual(body.metadata.annotations, { by: 'hook' });
    assert.deepEqual((await send('GET', `${DEPLOYMENTS}/web`)).body.metadata.annotations, { by: 'hook' });
    const { object, oldObject, operation } = stub.seen[0]!;
    assert.deepEqual([operation, oldObject, object!.metadata.uid], ['CREATE', null, undefined]);
    assert.equal(object!.spec.revisionHistoryLimit, 10, 'defaults come before admission');
  });

  it('refuse, so nothing is stored', async () => {
    const stub = await webhook(() => ({ allowed: false, status: { code: 403, reason: 'Forbidden', message: 'no' } }));
    const send = aCluster();
    await created(send, DEPLOYMENTS, deployment);
    await created(send, `${REGISTRATION}/validatingwebhookconfigurations`, configuration('Validating', stub));
    for (const [method, body, type] of [
      ['PATCH', newImage, STRATEGIC.type],
      ['PUT', { ...deployment, spec: { ...deployment.spec, replicas: 3 } }, undefined],
      ['DELETE', undefined, undefined],
    ] as const) {
      const { status, body: answer } = await send(method, `${DEPLOYMENTS}/web`, body, { type });
      assert.deepEqual(
        [status, answer.message],
        [403, 'admission webhook "hook.example.com" denied the request: no'],
        method,
      );
    }
    assert.equal((await send('GET', `${DEPLOYMENTS}/web`)).body.metadata.generation, 1);
    assert.deepEqual(
      stub.seen.map(({ operation }) => operation),
      ['UPDATE', 'UPDATE', 'DELETE'],
    );
    const { object, oldObject, options } = stub.seen[2]!;
    assert.equal(object, null);
    assert.equal(oldObject!.metadata.name, 'web');
    assert.equal(options!['kind'], 'DeleteOptions');
  });

  it('see a dry run as one, and the scale subresource as a Scale', async () => {
    const stub = await webhook(() => ({}));
    const send = aCluster();
    await created(send, DEPLOYMENTS, deployment);
    await created(send, `${REGISTRATION}/validatingwebhookconfigurations`, configuration('Validating', stub));
    await send('PATCH', `${DEPLOYMENTS}/web`, newImage, { ...STRATEGIC, query: 'dryRun=All' });
    await send(
      'PATCH',
      `${DEPLOYMENTS}/web/scale`,
      { spec: { replicas: 5 } },
      { type: 'application/merge-patch+json' },
    );
    const [dry, scale] = stub.seen;
    assert.equal(dry!.dryRun, true);
    assert.deepEqual(dry!.options!['dryRun'], ['All']);
    assert.deepEqual(scale!.kind, { group: 'autoscaling', version: 'v1', kind: 'Scale' });
    assert.deepEqual(
      [scale!.subResource, scale!.object!.kind, scale!.object!.spec.replicas, scale!.oldObject!.spec.replicas],
      ['scale', 'Scale', 5, 2],
    );
    const stored = (await send('GET', `${DEPLOYMENTS}/web`)).body;
    assert.equal(stored.spec.template.spec.containers[0].image, 'web:1');
    assert.equal(stored.spec.replicas, 5);
  });

  it('name the user that is impersonated', async () => {
    const stub = await webhook(() => ({}));
    const send = aCluster();
    await created(send, `${REGISTRATION}/validatingwebhookconfigurations`, configuration('Validating', stub));
    await send('POST', DEPLOYMENTS, deployment, { as: 'alice' });
    assert.deepEqual(stub.seen[0]!.userInfo, { username: 'alice', groups: ['system:masters', 'system:authenticated'] });
  });

  it('are refused with a match condition that does not compile', async () => {
    const stub = await webhook(() => ({}));
    const send = aCluster();
    const matchConditions = [{ name: 'broken', expression: 'objet.spec == 1' }];
    const { status, body } = await send(
      'POST',
      `${REGISTRATION}/mutatingwebhookconfigurations`,
      configuration('Mutating', stub, { matchConditions }),
    );
    assert.equal(status, 422);
    assert.match(
      body.message!,
      /^MutatingWebhookConfiguration\.admissionregistration\.k8s\.io "hooks" is invalid: webhooks\[0\]\.matchConditions\[0\]\.expression: Invalid value: "objet\.spec == 1": compilation failed: ERROR: <input>:1:1: undeclared reference to 'objet'/,
    );
  });
});

describe('Webhooks for a custom kind in two versions', () => {
  const schema = { openAPIV3Schema: { type: 'object', properties: { size: { type: 'integer' } } } };
  const version = (name: string, storage: boolean): object => ({ name, served: true, storage, schema });
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'widgets.acme.com' },
    spec: {
      group: 'acme.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', kind: 'Widget', singular: 'widget', listKind: 'WidgetList' },
      versions: [version('v1', true), version('v1alpha1', false)],
    },
  };
  const widget = { apiVersion: 'acme.com/v1alpha1', kind: 'Widget', metadata: { name: 'w' }, size: 1 };
  const OLD = '/apis/acme.com/v1alpha1/namespaces/default/widgets';

  it('see every write in the version they are registered for, and patch it there', async () => {
    const stub = await webhook(({ object }) => (object ? patchOf({ op: 'replace', path: '/size', value: 7 }) : {}));
    const clock = new VirtualClock(1);
    const send = aCluster(clock);
    await created(send, '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
    await clock.run(1000);
    const only = [{ operations: ['*'], apiGroups: ['acme.com'], apiVersions: ['v1'], resources: ['widgets'] }];
    await created(
      send,
      `${REGISTRATION}/mutatingwebhookconfigurations`,
      configuration('Mutating', stub, { rules: only }),
    );
    const { status, body } = await send('POST', OLD, widget);
    assert.equal(status, 201, body.message);
    assert.deepEqual([body.apiVersion, body.size], ['acme.com/v1alpha1', 7]);
    const { kind, requestKind, object } = stub.seen[0]!;
    assert.deepEqual(
      [kind.version, requestKind.version, object!.apiVersion, object!.size],
      ['v1', 'v1alpha1', 'acme.com/v1', 1],
    );
    await send('DELETE', `${OLD}/w`);
    assert.deepEqual([stub.seen[1]!.operation, stub.seen[1]!.oldObject!.apiVersion], ['DELETE', 'acme.com/v1']);
  });
});

describe('Policies in a cluster', () => {
  const matchConstraints = {
    resourceRules: [{ operations: ['UPDATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }],
  };

  it('hold a release without a webhook', async () => {
    const send = aCluster();
    await created(send, DEPLOYMENTS, deployment);
    await created(send, `${REGISTRATION}/mutatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingAdmissionPolicy',
      metadata: { name: 'hold' },
      spec: {
        matchConstraints,
        reinvocationPolicy: 'Never',
        matchConditions: [{ name: 'template', expression: 'object.spec.template != oldObject.spec.template' }],
        mutations: [
          {
            patchType: 'ApplyConfiguration',
            applyConfiguration: { expression: 'Object{spec: Object.spec{paused: true}}' },
          },
        ],
      },
    });
    await created(send, `${REGISTRATION}/mutatingadmissionpolicybindings`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: { name: 'hold' },
      spec: { policyName: 'hold' },
    });
    const merge = { type: 'application/merge-patch+json' };
    assert.equal(
      (await send('PATCH', `${DEPLOYMENTS}/web`, { spec: { replicas: 4 } }, merge)).body.spec.paused,
      undefined,
    );
    const { body } = await send('PATCH', `${DEPLOYMENTS}/web`, newImage, STRATEGIC);
    assert.equal(body.spec.paused, true);
    assert.equal(body.spec.template.spec.containers[0].image, 'web:2');
    assert.equal((await send('GET', `${DEPLOYMENTS}/web`)).body.spec.paused, true);
  });

  it('refuse with the words of the rule', async () => {
    const send = aCluster();
    await created(send, DEPLOYMENTS, { ...deployment, metadata: { name: 'web', annotations: { held: '1' } } });
    await created(send, `${REGISTRATION}/validatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'guard' },
      spec: {
        matchConstraints,
        validations: [
          {
            expression: 'object.metadata.?annotations["held"] == oldObject.metadata.?annotations["held"]',
            message: 'held, hands off',
          },
        ],
      },
    });
    await created(send, `${REGISTRATION}/validatingadmissionpolicybindings`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'guard' },
      spec: { policyName: 'guard', validationActions: ['Deny'] },
    });
    const take = { metadata: { annotations: { held: null } } };
    const { status, body } = await send('PATCH', `${DEPLOYMENTS}/web`, take, { type: 'application/merge-patch+json' });
    assert.equal(status, 422);
    assert.equal(
      body.message,
      `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'guard' with binding 'guard' denied request: held, hands off`,
    );
  });

  it('are refused when they do not compile', async () => {
    const send = aCluster();
    const { status, body } = await send('POST', `${REGISTRATION}/validatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'broken' },
      spec: { matchConstraints, validations: [{ expression: 'object.spec.replicas' }] },
    });
    assert.equal(status, 422);
    assert.match(
      body.message!,
      /spec\.validations\[0\]\.expression: Invalid value: "object\.spec\.replicas": must evaluate to bool but got dyn$/,
    );
  });
});
