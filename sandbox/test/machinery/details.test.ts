// Rare answers of the API server, with its exact texts.
import assert from 'node:assert/strict';
import { CONFIG_MAPS, configMap, DEPLOYMENTS, pod, PODS, podSpec, TestCluster } from './support.ts';

const CORE = '/api/v1/namespaces/default';
const APPS = '/apis/apps/v1/namespaces/default';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

const template = { metadata: { labels: { app: 'web' } }, spec: podSpec() };
const selector = { matchLabels: { app: 'web' } };

/** Path, body, and what is wrong with it; the first word of the message names the object. */
const refusals: [what: string, path: string, body: object, message: string][] = [
  [
    'an owner without anything',
    CONFIG_MAPS,
    configMap('a', { ownerReferences: [{}] }),
    'ConfigMap "a" is invalid: [metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty, metadata.ownerReferences.kind: Invalid value: "": must not be empty, metadata.ownerReferences.name: Invalid value: "": must not be empty, metadata.ownerReferences.uid: Invalid value: "": must not be empty]',
  ],
  [
    'a key that is text and bytes',
    CONFIG_MAPS,
    { ...configMap('a'), binaryData: { k: 'eA==' } },
    'ConfigMap "a" is invalid: [data[k]: Invalid value: "k": duplicate of key present in binaryData, binaryData[k]: Invalid value: "k": duplicate of key present in data]',
  ],
  ['a Pod without a spec', PODS, { metadata: { name: 'a' } }, 'Pod "a" is invalid: spec.containers: Required value'],
  [
    'a Pod of a class that is not there',
    PODS,
    { metadata: { name: 'a' }, spec: { ...podSpec(), priorityClassName: 'nope' } },
    'pods "a" is forbidden: no PriorityClass with name nope was found',
  ],
  [
    'a StatefulSet with two minds',
    `${APPS}/statefulsets`,
    {
      metadata: { name: 'a' },
      spec: { selector, template, podManagementPolicy: 'X', updateStrategy: { type: 'OnDelete', rollingUpdate: {} } },
    },
    `StatefulSet.apps "a" is invalid: [spec.podManagementPolicy: Invalid value: "X": must be 'OrderedReady' or 'Parallel', spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":0,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate']`,
  ],
  [
    'a DaemonSet that could not move',
    `${APPS}/daemonsets`,
    { metadata: { name: 'a' }, spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } } },
    'DaemonSet.apps "a" is invalid: spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0',
  ],
  [
    'a revision of nothing',
    `${APPS}/controllerrevisions`,
    { metadata: { name: 'a' }, revision: 1 },
    'ControllerRevision.apps "a" is invalid: data: Required value: data is mandatory',
  ],
  [
    'a node port out of range',
    `${CORE}/services`,
    { metadata: { name: 'a' }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] } },
    'Service "a" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  ],
  [
    'an address out of range',
    `${CORE}/services`,
    { metadata: { name: 'a' }, spec: { clusterIP: '1.2.3.4', ports: [{ port: 80 }] } },
    'Service "a" is invalid: spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
  ],
  [
    'an event of the newer group without its fields',
    '/apis/events.k8s.io/v1/namespaces/default/events',
    {
      metadata: { name: 'a' },
      regarding: { namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'x.y/z',
      action: 'A',
    },
    'Event.events.k8s.io "a" is invalid: [reportingInstance: Required value, reason: Required value]',
  ],
  [
    'a Job whose Pods never end',
    '/apis/batch/v1/namespaces/default/jobs',
    { metadata: { name: 'a' }, spec: { template: { spec: podSpec() } } },
    'Job.batch "a" is invalid: spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
  ],
  [
    'a claim of nothing',
    `${CORE}/persistentvolumeclaims`,
    { metadata: { name: 'a' }, spec: {} },
    'PersistentVolumeClaim "a" is invalid: [spec.accessModes: Required value: at least 1 access mode is required, spec.resources[storage]: Required value]',
  ],
  [
    'rules of no namespace',
    '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews',
    { spec: {} },
    'no namespace on request',
  ],
  [
    'a policy that says nothing',
    '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
    { metadata: { name: 'a' }, spec: {} },
    'ValidatingAdmissionPolicy.admissionregistration.k8s.io "a" is invalid: [spec.matchConstraints: Required value, spec.validations: Required value: validations or auditAnnotations must contain at least one item, spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item]',
  ],
  [
    'conditions without a name of their own',
    '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
    {
      metadata: { name: 'a' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['pods'] }],
        },
        matchConditions: ['x', 'x', ''].map((name) => ({ name, expression: 'true' })),
        validations: [{ expression: 'true' }],
      },
    },
    'ValidatingAdmissionPolicy.admissionregistration.k8s.io "a" is invalid: [spec.matchConditions[1].name: Duplicate value: "x", spec.matchConditions[2].name: Required value]',
  ],
  [
    'no token',
    '/apis/authentication.k8s.io/v1/tokenreviews',
    { spec: {} },
    'token is required for TokenReview in authentication',
  ],
];

describe('The API server refuses', () => {
  for (const [what, path, body, message] of refusals) {
    it(what, async () => {
      assert.equal((await new TestCluster().post(path, body)).body.message, message);
    });
  }

  it('a secret of credentials that are not JSON, without showing them', async () => {
    const stringData = { '.dockerconfigjson': '{hidden' };
    const type = 'kubernetes.io/dockerconfigjson';
    const { body } = await new TestCluster().post(`${CORE}/secrets`, { metadata: { name: 'a' }, type, stringData });
    assert.match(body.message, /data\[\.dockerconfigjson\]: Invalid value: "<secret contents redacted>"/);
    assert.doesNotMatch(JSON.stringify(body), /hidden/);
  });

  it('invalid numbers and continue tokens', async () => {
    const api = new TestCluster();
    for (const query of ['limit=a', 'watch=1&timeoutSeconds=a']) {
      const { status, body } = await api.get(`${CONFIG_MAPS}?${query}`);
      assert.equal(status, 400);
      assert.equal(body.message, 'strconv.ParseInt: parsing "a": invalid syntax');
    }
    const { body } = await api.get(`${CONFIG_MAPS}?continue=a!`);
    assert.equal(
      body.message,
      'invalid continue token: continue key is not valid: illegal base64 data at input byte 1',
    );
  });

  it('owners whose names cannot be printed', async () => {
    const { body } = await new TestCluster().post(`${CONFIG_MAPS}?fieldManager=%C3%A4%01b`, configMap('a'));
    assert.match(body.message, /fieldManager: Invalid value: .*: invalid character U\+0001 \(at position 2\)$/);
  });

  it('what it does not serve: with a Status in its own groups, with plain text elsewhere', async () => {
    const api = new TestCluster();
    for (const path of ['/api/v1/things', '/apis/apps/v9/deployments', `${DEPLOYMENTS}/a/b`]) {
      const { status, body } = await api.get(path);
      assert.equal(status, 404);
      assert.equal(body.message, 'the server could not find the requested resource');
    }
    assert.equal((await api.get('/apis/nobody.example.com/v1/things')).body, '404 page not found\n');
  });
});

describe('Metadata only', () => {
  const partial = (as: string): { accept: string } => ({ accept: `application/json;as=${as};g=meta.k8s.io;v=v1` });

  it('is asked for as that of one object, or as that of a list', async () => {
    const api = new TestCluster();
    await api.post(CONFIG_MAPS, configMap('a'));
    const one = await api.get(`${CONFIG_MAPS}/a`, partial('PartialObjectMetadataList'));
    assert.equal(one.status, 406);
    assert.equal(
      one.body.message,
      'you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)',
    );
    const all = await api.get(CONFIG_MAPS, partial('PartialObjectMetadata'));
    assert.equal(
      all.body.message,
      'you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)',
    );
    assert.equal((await api.get(CONFIG_MAPS, partial('PartialObjectMetadataList'))).status, 200);
  });
});

describe('A Pod', () => {
  it('keeps its node, its grace and its tolerations', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    for (const spec of [{ nodeName: 'n9' }, { terminationGracePeriodSeconds: 1 }]) {
      assert.match((await api.merge(`${PODS}/a`, { spec })).body.message, /pod updates may not change fields/);
    }
    const tolerations = [{ operator: 'Exists', effect: 'NoExecute' }];
    assert.match(
      (await api.merge(`${PODS}/a`, { spec: { tolerations } })).body.message,
      /^Pod "a" is invalid: spec\.tolerations: Forbidden: existing toleration can not be modified/,
    );
  });

  it('keeps the default tolerations if an update omits them', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    const { body } = await api.merge(`${PODS}/a`, { spec: { tolerations: [{ key: 'x', operator: 'Exists' }] } });
    assert.deepEqual(
      body.spec.tolerations.map(({ key }: { key: string }) => key),
      ['x', 'node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'],
    );
  });

  it('that is removed at once is returned with its deletion time', async () => {
    const api = new TestCluster();
    await api.post(PODS, pod('a'));
    const { body } = await api.delete(`${PODS}/a`);
    assert.equal(body.metadata.deletionGracePeriodSeconds, 0);
    assert.ok(body.metadata.deletionTimestamp);
    assert.equal(body.metadata.generation, 2);
  });
});

describe('Stored as the API server stores it', () => {
  it('a Service drops fields that only its former type needs', async () => {
    const api = new TestCluster();
    const path = `${CORE}/services`;
    await api.post(path, { metadata: { name: '1a' }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }] } });
    const { body } = await api.merge(`${path}/1a`, { spec: { type: 'ClusterIP' } });
    assert.equal(body.spec.externalTrafficPolicy, undefined);
    assert.equal(body.spec.allocateLoadBalancerNodePorts, undefined);
    assert.equal(body.spec.ports[0].nodePort, undefined);
  });

  it('two Services do not share a node port or an address', async () => {
    const api = new TestCluster();
    const path = `${CORE}/services`;
    const service = (name: string, spec: object): object => ({
      metadata: { name },
      spec: { type: 'NodePort', ...spec },
    });
    const { body: first } = await api.post(path, service('a', { ports: [{ port: 80 }] }));
    const [{ nodePort }] = first.spec.ports;
    const same = await api.post(path, service('b', { ports: [{ port: 80, nodePort }] }));
    assert.match(same.body.message, /nodePort: Invalid value: \d+: provided port is already allocated$/);
    const { clusterIP } = first.spec;
    const again = await api.post(path, service('b', { clusterIP, ports: [{ port: 80 }] }));
    assert.match(again.body.message, /failed to allocate IP [\d.]+: provided IP is already allocated$/);
  });

  it('a StatefulSet has kind and apiVersion in its claims', async () => {
    const resources = { requests: { storage: '1Gi' } };
    const claim = { metadata: { name: 'v' }, spec: { accessModes: ['ReadWriteOnce'], resources } };
    const { body } = await new TestCluster().post(`${APPS}/statefulsets`, {
      metadata: { name: 'a' },
      spec: { selector, template, serviceName: 's', volumeClaimTemplates: [claim] },
    });
    const [stored] = body.spec.volumeClaimTemplates;
    assert.equal(stored.kind, 'PersistentVolumeClaim');
    assert.equal(stored.apiVersion, 'v1');
    assert.equal(stored.spec.volumeMode, 'Filesystem');
    assert.deepEqual(stored.status, { phase: 'Pending' });
  });

  it('a LimitRange gets default requests from its limits', async () => {
    const limits = [{ type: 'Container', max: { cpu: '2' }, default: { cpu: '1' } }];
    const { body } = await new TestCluster().post(`${CORE}/limitranges`, { metadata: { name: 'a' }, spec: { limits } });
    assert.deepEqual(body.spec.limits[0].defaultRequest, { cpu: '1' });
  });

  it('a Job finds its Pods by its own uid, and is printed', async () => {
    const api = new TestCluster();
    const path = '/apis/batch/v1/namespaces/default/jobs';
    const { body } = await api.post(path, {
      metadata: { name: 'a' },
      spec: { template: { spec: { ...podSpec(), restartPolicy: 'Never' } } },
    });
    assert.deepEqual(body.spec.selector.matchLabels, { 'batch.kubernetes.io/controller-uid': body.metadata.uid });
    assert.equal(body.spec.template.metadata.labels['job-name'], 'a');
    assert.equal(body.spec.backoffLimit, 6);
    const { body: table } = await api.get(path, { accept: TABLE });
    assert.deepEqual(table.rows[0].cells.slice(0, 4), ['a', 'Running', '0/1', '']);
  });

  it('a quota shows what is used of it', async () => {
    const api = new TestCluster();
    const path = `${CORE}/resourcequotas`;
    const { body } = await api.post(path, { metadata: { name: 'a' }, spec: { hard: { pods: '3' } } });
    assert.deepEqual(body.status, {});
    const hard = { pods: '3', 'limits.cpu': '2' };
    const type = 'application/merge-patch+json';
    await api.call('PATCH', `${path}/a/status`, { status: { hard, used: { pods: '1' } } }, { type });
    const { body: table } = await api.get(path, { accept: TABLE });
    assert.deepEqual(table.rows[0].cells.slice(0, 3), ['a', 'pods: 1/3', 'limits.cpu: 0/2']);
  });

  it('an event without a time says so', async () => {
    const api = new TestCluster();
    await api.post(`${CORE}/events`, {
      metadata: { name: 'a' },
      involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
      reportingComponent: 'x.y/z',
      reportingInstance: 'i',
    });
    const { body } = await api.get(`${CORE}/events`, { accept: TABLE });
    assert.deepEqual(body.rows[0].cells, ['<unknown>', '', '', 'pod/p', '', 'x.y/z, i', '', '<unknown>', 1, 'a']);
  });

  it('events of the newer group are selected by its names', async () => {
    const path = '/apis/events.k8s.io/v1/namespaces/default/events';
    const api = new TestCluster();
    assert.equal((await api.get(`${path}?fieldSelector=regarding.name=p`)).status, 200);
    assert.equal((await api.get(`${path}?fieldSelector=involvedObject.name=p`)).status, 400);
  });
});
