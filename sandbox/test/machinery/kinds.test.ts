// Native kinds: defaults, and the error texts of common mistakes.
import assert from 'node:assert/strict';
import { CONFIG_MAPS, deployment, DEPLOYMENTS, pod, PODS, podSpec, TestCluster, type Answer } from './support.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const SECRETS = '/api/v1/namespaces/default/secrets';
const ADMISSION = '/apis/admissionregistration.k8s.io/v1';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';

const refused = async (path: string, body: unknown, message: string | RegExp, code = 422): Promise<void> => {
  const answer = await new TestCluster().post(path, body);
  assert.equal(answer.status, code, JSON.stringify(answer.body));
  if (typeof message === 'string') assert.equal(answer.body.message, message);
  else assert.match(answer.body.message, message);
};

describe('A Deployment', () => {
  it('gets the defaults of its strategy only', async () => {
    const api = new TestCluster();
    const strategies: [given: object | undefined, stored: object][] = [
      [undefined, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } }],
      [
        { rollingUpdate: { maxUnavailable: 0 } },
        { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' } },
      ],
      [{ type: 'Recreate' }, { type: 'Recreate' }],
    ];
    for (const [i, [strategy, stored]] of strategies.entries()) {
      const { body } = await api.post(DEPLOYMENTS, deployment(`d${i}`, { strategy }));
      assert.deepEqual(body.spec.strategy, stored);
    }
  });

  const mistakes: [what: string, spec: object, message: string][] = [
    [
      'a selector that selects nothing',
      { selector: {} },
      'Deployment.apps "web" is invalid: spec.selector: Invalid value: {}: empty selector is invalid for deployment',
    ],
    [
      'a share of more than everything',
      { strategy: { rollingUpdate: { maxUnavailable: '101%' } } },
      'Deployment.apps "web" is invalid: spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
    ],
    [
      'a strategy nobody knows',
      { strategy: { type: 'BlueGreen' } },
      'Deployment.apps "web" is invalid: spec.strategy.type: Unsupported value: "BlueGreen": supported values: "Recreate", "RollingUpdate"',
    ],
    [
      'a deadline before Pods can be available',
      { minReadySeconds: 600, progressDeadlineSeconds: 600 },
      'Deployment.apps "web" is invalid: spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds',
    ],
    [
      'two containers of one name and a port out of range',
      {
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [
              { name: 'a', image: 'x', ports: [{ containerPort: 70000 }] },
              { name: 'a', image: 'y' },
            ],
          },
        },
      },
      'Deployment.apps "web" is invalid: [spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive, spec.template.spec.containers[1].name: Duplicate value: "a"]',
    ],
    [
      'Pods that are not restarted',
      { template: { metadata: { labels: { app: 'web' } }, spec: { ...podSpec(), restartPolicy: 'Never' } } },
      'Deployment.apps "web" is invalid: spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ],
  ];
  for (const [what, spec, message] of mistakes) {
    it(`with ${what} is refused`, () => refused(DEPLOYMENTS, deployment('web', spec), message));
  }

  it('keeps its selector', async () => {
    const api = new TestCluster();
    await api.post(DEPLOYMENTS, deployment('web'));
    const labels = { app: 'other' };
    const { status, body } = await api.merge(`${DEPLOYMENTS}/web`, {
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels } } },
    });
    assert.equal(status, 422);
    assert.match(
      body.message,
      /spec\.selector: Invalid value: \{"matchLabels":\{"app":"other"\}\}: field is immutable$/,
    );
  });
});

describe('A Pod', () => {
  it('gets the values of defaults and built-in admission', async () => {
    const { body } = await new TestCluster().post(PODS, {
      metadata: { name: 'a' },
      spec: {
        containers: [
          {
            name: 'main',
            image: 'nginx',
            livenessProbe: { httpGet: { port: 80 } },
            resources: { limits: { cpu: '1', memory: '1Gi' } },
          },
        ],
        volumes: [{ name: 'tmp' }, { name: 'conf', configMap: { name: 'x' } }],
        tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' }],
      },
    });
    const [container] = body.spec.containers;
    assert.equal(container.imagePullPolicy, 'Always');
    assert.deepEqual(container.livenessProbe.httpGet, { path: '/', port: 80, scheme: 'HTTP' });
    assert.equal(container.livenessProbe.failureThreshold, 3);
    assert.deepEqual(container.resources.requests, { cpu: '1', memory: '1Gi' });
    assert.deepEqual(body.spec.volumes[0], { name: 'tmp', emptyDir: {} });
    assert.equal(body.spec.volumes[1].configMap.defaultMode, 420);
    assert.deepEqual(
      body.spec.tolerations.map(({ key }: { key: string }) => key),
      ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'],
    );
    assert.deepEqual(body.status, { phase: 'Pending', qosClass: 'Guaranteed' });
  });

  it('may change its image, but not its command', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    const strategic = { type: 'application/strategic-merge-patch+json' };
    const image = await api.call(
      'PATCH',
      `${PODS}/a`,
      { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } },
      strategic,
    );
    assert.equal(image.status, 200);
    const command = await api.call(
      'PATCH',
      `${PODS}/a`,
      { spec: { containers: [{ name: 'main', command: ['x'] }] } },
      strategic,
    );
    assert.equal(command.status, 422);
    assert.match(
      command.body.message,
      /^Pod "a" is invalid: spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`/,
    );
  });

  it('with a mount of a volume it does not have, or too large a request, is refused', async () => {
    const broken = pod('a');
    broken.spec.containers[0].volumeMounts = [{ name: 'data', mountPath: '/data' }];
    broken.spec.containers[0].resources = { requests: { cpu: '2' }, limits: { cpu: '500m' } };
    await refused(
      PODS,
      broken,
      'Pod "a" is invalid: [spec.containers[0].volumeMounts[0].name: Not found: "data", spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 500m]',
    );
  });
});

describe('A Service', () => {
  const service = (name: string, spec: object = {}): object => ({
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  });

  it('gets an address of its own, and keeps it', async () => {
    const api = new TestCluster();
    const { body: a } = await api.post(SERVICES, service('a'));
    const { body: b } = await api.post(SERVICES, service('b', { type: 'NodePort' }));
    assert.match(a.spec.clusterIP, /^10\.96\./);
    assert.notEqual(a.spec.clusterIP, b.spec.clusterIP);
    assert.deepEqual(a.spec.ports, [{ port: 80, protocol: 'TCP', targetPort: 80 }]);
    assert.ok(b.spec.ports[0].nodePort >= 30000);
    const updated = await api.put(`${SERVICES}/a`, service('a', { selector: { app: 'x' } }));
    assert.equal(updated.body.spec.clusterIP, a.spec.clusterIP);
    const moved = await api.merge(`${SERVICES}/a`, { spec: { clusterIP: '10.96.9.9', clusterIPs: ['10.96.9.9'] } });
    assert.equal(moved.status, 422);
    assert.match(
      moved.body.message,
      /spec\.clusterIPs\[0\]: Invalid value: \["10\.96\.9\.9"\]: may not change once set/,
    );
    const headless = await api.post(SERVICES, service('c', { clusterIP: 'None' }));
    assert.deepEqual(headless.body.spec.clusterIPs, ['None']);
  });

  it('with ports that cannot be told apart is refused', () =>
    refused(
      SERVICES,
      service('a', { ports: [{ port: 80 }, { port: 443 }] }),
      'Service "a" is invalid: [spec.ports[0].name: Required value, spec.ports[1].name: Required value]',
    ));
});

describe('ConfigMaps and Secrets', () => {
  it('encode stringData, and have a type', async () => {
    const api = new TestCluster();
    const { body } = await api.post(SECRETS, {
      metadata: { name: 's' },
      data: { a: 'eA==' },
      stringData: { b: 'hi', a: 'y' },
    });
    assert.deepEqual(body.data, { a: 'eQ==', b: 'aGk=' });
    assert.equal(body.type, 'Opaque');
    assert.equal(body.stringData, undefined);
    const typed = await api.merge(`${SECRETS}/s`, { type: 'other' });
    assert.match(typed.body.message, /type: Invalid value: "other": field is immutable/);
  });

  it('of a certificate need both halves', () =>
    refused(
      SECRETS,
      { metadata: { name: 's' }, type: 'kubernetes.io/tls', data: { 'tls.crt': '' } },
      'Secret "s" is invalid: data[tls.key]: Required value',
    ));

  it('stay immutable', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, { metadata: { name: 'a' }, immutable: true, data: { k: '1' } });
    const { body } = await api.merge(`${CONFIG_MAPS}/a`, { data: { k: '2' } });
    assert.equal(body.message, 'ConfigMap "a" is invalid: data: Forbidden: field is immutable when `immutable` is set');
    assert.equal((await api.merge(`${CONFIG_MAPS}/a`, { metadata: { labels: { x: 'y' } } })).status, 200);
  });

  it('have keys that could be file names', () =>
    refused(
      CONFIG_MAPS,
      { metadata: { name: 'a' }, data: { 'a/b': '' } },
      /data\[a\/b\]: Invalid value: "a\/b": a valid config key must consist of/,
    ));
});

describe('Events', () => {
  it('are the same in both of their groups', async () => {
    const api = new TestCluster();
    await api.post('/api/v1/namespaces/default/events', {
      metadata: { name: 'e' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      message: 'it happened',
      reason: 'Happened',
      type: 'Normal',
    });
    const { body } = await api.get('/apis/events.k8s.io/v1/namespaces/default/events/e');
    assert.equal(body.apiVersion, 'events.k8s.io/v1');
    assert.equal(body.note, 'it happened');
    assert.equal(body.regarding.name, 'p');
    const found = await api.get(
      '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp,reason%3DHappened',
    );
    assert.equal(found.body.items.length, 1);
  });

  it('must be about an object in their namespace', () =>
    refused(
      '/api/v1/namespaces/default/events',
      { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', name: 'p', namespace: 'other' } },
      /involvedObject\.namespace: Invalid value: "other": does not match event\.namespace/,
    ));
});

describe('A HorizontalPodAutoscaler', () => {
  it('is the same object in both versions', async () => {
    const api = new TestCluster();
    const v1 = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
    const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
    const created = await api.post(v1, {
      metadata: { name: 'a' },
      spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 60 },
    });
    assert.equal(created.status, 201, JSON.stringify(created.body));
    assert.equal(created.body.spec.targetCPUUtilizationPercentage, 60);
    const { body } = await api.get('/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/a');
    assert.equal(body.spec.metrics[0].resource.target.averageUtilization, 60);
    assert.equal(body.spec.minReplicas, 1);
    assert.equal(body.metadata.uid, created.body.metadata.uid);
  });

  it('with minReplicas above maxReplicas is refused', () =>
    refused(
      '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers',
      {
        metadata: { name: 'a' },
        spec: { scaleTargetRef: { kind: 'Deployment', name: 'w' }, minReplicas: 3, maxReplicas: 2 },
      },
      /spec\.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`/,
    ));
});

describe('Roles and bindings', () => {
  it('fill in their group, and a binding keeps its role', async () => {
    const api = new TestCluster();
    const path = `${RBAC}/namespaces/default/rolebindings`;
    const { body } = await api.post(path, {
      metadata: { name: 'b' },
      roleRef: { kind: 'ClusterRole', name: 'x' },
      subjects: [{ kind: 'User', name: 'eve' }],
    });
    assert.equal(body.roleRef.apiGroup, 'rbac.authorization.k8s.io');
    assert.equal(body.subjects[0].apiGroup, 'rbac.authorization.k8s.io');
    const changed = await api.merge(`${path}/b`, { roleRef: { name: 'y' } });
    assert.match(changed.body.message, /roleRef: Invalid value: .*: cannot change roleRef$/);
  });

  it('with an empty rule are refused', () =>
    refused(
      `${RBAC}/clusterroles`,
      { metadata: { name: 'system:x' }, rules: [{ apiGroups: [''], resources: ['pods'] }] },
      'ClusterRole.rbac.authorization.k8s.io "system:x" is invalid: rules[0].verbs: Required value: verbs must contain at least one value',
    ));
});

describe('Webhook configurations', () => {
  const webhook = (more: object = {}): object => ({
    name: 'a.example.com',
    clientConfig: { url: 'https://127.0.0.1:1/x' },
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    ...more,
  });
  const path = `${ADMISSION}/mutatingwebhookconfigurations`;

  it('are filled in', async () => {
    const { body } = await new TestCluster().post(path, { metadata: { name: 'w' }, webhooks: [webhook()] });
    const [only] = body.webhooks;
    assert.deepEqual(
      [
        only.failurePolicy,
        only.matchPolicy,
        only.timeoutSeconds,
        only.reinvocationPolicy,
        only.rules[0].scope,
        body.metadata.generation,
      ],
      ['Fail', 'Equivalent', 10, 'Never', '*', 1],
    );
  });

  const mistakes: [what: string, more: object, message: RegExp][] = [
    [
      'a short name',
      { name: 'a' },
      /webhooks\[0\]\.name: Invalid value: "a": should be a domain with at least three segments separated by dots/,
    ],
    [
      'plain HTTP',
      { clientConfig: { url: 'http://x/' } },
      /webhooks\[0\]\.clientConfig\.url: Invalid value: "http": 'https' is the only allowed URL scheme/,
    ],
    [
      'nobody to call',
      { clientConfig: {} },
      /webhooks\[0\]\.clientConfig: Required value: exactly one of url or service is required/,
    ],
    [
      'too much patience',
      { timeoutSeconds: 31 },
      /webhooks\[0\]\.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds/,
    ],
    [
      'side effects',
      { sideEffects: 'Some' },
      /webhooks\[0\]\.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"/,
    ],
    [
      'a condition that is no CEL',
      { matchConditions: [{ name: 'x', expression: 'object.(' }] },
      /webhooks\[0\]\.matchConditions\[0\]\.expression: Invalid value: "object\.\("/,
    ],
  ];
  for (const [what, more, message] of mistakes) {
    it(`with ${what} are refused`, () =>
      refused(path, { metadata: { name: 'w' }, webhooks: [webhook(more)] }, message));
  }
});

describe('A deprecated kind or field', () => {
  it('has a warning for Endpoints, and is kept for DaemonSets', async () => {
    const api = new TestCluster();
    const { headers } = await api.get('/api/v1/namespaces/default/endpoints');
    assert.equal(
      headers.warning,
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
    const path = '/apis/apps/v1/namespaces/default/daemonsets';
    const { selector, template } = deployment('agent').spec;
    const generation = ({ body }: Answer): unknown =>
      body.metadata.annotations?.['deprecated.daemonset.template.generation'];
    assert.equal(generation(await api.post(path, { metadata: { name: 'agent' }, spec: { selector, template } })), '1');
    assert.equal(generation(await api.merge(`${path}/agent`, { spec: { minReadySeconds: 1 } })), '1');
    assert.equal(
      generation(await api.merge(`${path}/agent`, { spec: { template: { spec: podSpec('nginx:2') } } })),
      '2',
    );
  });
});

describe('A body', () => {
  it('may be YAML, but no unknown media type', async () => {
    const api = new TestCluster();
    const yaml = await api.post(CONFIG_MAPS, 'metadata: {name: a}\ndata:\n  k: v\n', { type: 'application/yaml' });
    assert.equal(yaml.status, 201);
    assert.deepEqual(yaml.body.data, { k: 'v' });
    const text = await api.post(CONFIG_MAPS, 'a', { type: 'text/plain' });
    assert.equal(text.status, 415);
    assert.equal(
      text.body.message,
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
  });
});

describe('Warnings', () => {
  it('point to suspicious values when they are written, and not again', async () => {
    const api = new TestCluster();
    const twice = deployment('web');
    twice.spec.template.spec.containers[0].env = [
      { name: 'A', value: '1' },
      { name: 'A', value: '2' },
    ];
    const { headers } = await api.post(DEPLOYMENTS, twice);
    assert.equal(
      headers.warning,
      '299 - "spec.template.spec.containers[0].env[1]: hides previous definition of \\"A\\", which may be dropped when using apply"',
    );
    const labelled = await api.merge(`${DEPLOYMENTS}/web`, { metadata: { labels: { a: 'b' } } });
    assert.equal(labelled.headers.warning, undefined);
  });
});
