// Combinations of values that matter: each is accepted, object by object, by an API server that checks every field, and has what it says.
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { startSandbox, type Sandbox } from '@tranche/sandbox';
import { readConfig } from '../../src/app/config.ts';
import { createApi, type ApiClient } from '../../src/kube/client.ts';
import { connect } from '../../src/kube/connection.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { temporaryFolder } from '../support/processes.ts';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { find, render, type Manifest } from './render.ts';

interface PodTemplate {
  readonly metadata: { readonly labels: Record<string, string> };
  readonly spec: Record<string, unknown>;
}

interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

/** Templates of Deployments, and bare Pods. */
const podsOf = (manifests: readonly Manifest[]): PodTemplate[] =>
  manifests.flatMap(({ kind, metadata, spec }) =>
    kind === 'Deployment' ? [spec!['template'] as PodTemplate] : kind === 'Pod' ? [{ metadata, spec: spec! }] : [],
  );

const ofKind = (manifests: readonly Manifest[], kind: string): Manifest[] =>
  manifests.filter((manifest) => manifest.kind === kind);

const rulesOf = (manifests: readonly Manifest[], kind: string, name = 'tranche'): string[] =>
  (find(manifests, kind, name).rules ?? []).flatMap(({ resources }) => resources);

const COMBINATIONS: readonly (readonly [what: string, set: readonly string[], check: (all: Manifest[]) => void])[] = [
  [
    'the defaults',
    [],
    (all) => {
      assert.equal(find(all, 'Deployment').spec!['replicas'], 2);
      const granted = (find(all, 'ClusterRole').rules ?? []).flatMap(({ apiGroups, resources }) =>
        resources.map((resource) => `${apiGroups.join()}/${resource}`),
      );
      assert.deepEqual(granted.toSorted(), [...new Set(granted)].toSorted());
    },
  ],
  [
    'some namespaces only',
    ['watchNamespaces={shop,pay}'],
    (all) => {
      for (const namespace of ['shop', 'pay']) {
        const role = all.find(({ kind, metadata }) => kind === 'Role' && metadata.namespace === namespace);
        assert.ok(role?.rules?.some(({ resources }) => resources.includes('deployments')));
        assert.ok(all.some(({ kind, metadata }) => kind === 'RoleBinding' && metadata.namespace === namespace));
      }
      const everywhere = rulesOf(all, 'ClusterRole');
      for (const resource of ['deployments', 'replicasets', 'pods', 'events', 'rollouts'])
        assert.ok(!everywhere.includes(resource), `${resource} in all namespaces`);
      const args = find(all, 'Deployment').spec!['template'].spec.containers[0].args as string[];
      assert.ok(args.includes('--watch-namespaces=shop,pay'));
      const ours = all
        .flatMap(({ webhooks }) => webhooks ?? [])
        .filter(({ name }) => /(rollouts|deployments)\.tranche\.dev$/.test(name));
      assert.ok(ours.length >= 5);
      const elsewhere = ours.filter(({ name }) => name === 'elsewhere.rollouts.tranche.dev');
      const others = { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['shop', 'pay'] };
      assert.deepEqual(
        elsewhere.map(({ namespaceSelector }) => namespaceSelector?.matchExpressions),
        [[others]],
      );
      for (const { name, namespaceSelector } of ours.filter((one) => !elsewhere.includes(one))) {
        const only = { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop', 'pay'] };
        assert.ok(
          namespaceSelector?.matchExpressions.some((one) => JSON.stringify(one) === JSON.stringify(only)),
          name,
        );
      }
    },
  ],
  [
    'cert-manager',
    ['certificates.certManager.enabled=true'],
    (all) => {
      const inject = { 'cert-manager.io/inject-ca-from': 'tranche-system/tranche' };
      for (const { kind, metadata } of all) {
        if (!/WebhookConfiguration$/.test(kind)) continue;
        assert.deepEqual(metadata.annotations, inject, kind);
      }
      const crd = find(all, 'CustomResourceDefinition', 'rollouts.rollouts.kruise.io');
      assert.equal(crd.metadata.annotations?.['cert-manager.io/inject-ca-from'], 'tranche-system/tranche');
      const { containers, volumes } = find(all, 'Deployment').spec!['template'].spec;
      assert.ok(containers[0].args.includes('--tls-dir=/tls') && containers[0].args.includes('--inject-ca=false'));
      assert.equal(volumes[0].secret.secretName, find(all, 'Certificate').spec!['secretName']);
      assert.deepEqual(find(all, 'Certificate').spec!['dnsNames'][0], 'tranche-webhook.tranche-system.svc');
      assert.ok(!rulesOf(all, 'Role').includes('secrets'));
      const cluster = rulesOf(all, 'ClusterRole');
      assert.ok(!cluster.some((resource) => /webhookconfigurations|customresourcedefinitions/.test(resource)));
    },
  ],
  [
    "cert-manager with the user's issuer",
    [
      'certificates.certManager.enabled=true',
      'certificates.certManager.issuerRef.name=ours',
      'certificates.certManager.issuerRef.kind=ClusterIssuer',
    ],
    (all) => {
      assert.deepEqual(find(all, 'Certificate').spec!['issuerRef'], { kind: 'ClusterIssuer', name: 'ours' });
      assert.ok(!all.some(({ kind }) => kind === 'Issuer'));
    },
  ],
  [
    'everything for monitoring',
    [
      'metrics.serviceMonitor.enabled=true',
      'metrics.serviceMonitor.labels.release=prom',
      'metrics.alerts.enabled=true',
      'metrics.dashboard.enabled=true',
    ],
    (all) => {
      const monitor = find(all, 'ServiceMonitor');
      assert.equal(monitor.metadata.labels['release'], 'prom');
      const ports = find(all, 'Service', 'tranche-webhook').spec!['ports'] as { name: string }[];
      assert.ok(ports.some(({ name }) => name === monitor.spec!['endpoints'][0].port));
      assert.equal(find(all, 'ConfigMap', 'tranche-dashboard').metadata.labels['grafana_dashboard'], '1');
    },
  ],
  [
    'traces for a collector',
    [
      'tracing.endpoint=https://otel.example.org/otlp',
      'tracing.headersSecret.name=otel',
      'tracing.resourceAttributes.k8s\\.cluster\\.name=west + 1',
    ],
    (all) => {
      const { env } = find(all, 'Deployment').spec!['template'].spec.containers[0] as { env: EnvVar[] };
      const variables = Object.fromEntries(env.map(({ name, value, valueFrom }) => [name, value ?? valueFrom]));
      assert.equal(variables['OTEL_EXPORTER_OTLP_ENDPOINT'], 'https://otel.example.org/otlp');
      assert.deepEqual(variables['OTEL_EXPORTER_OTLP_HEADERS'], { secretKeyRef: { name: 'otel', key: 'headers' } });
      const config = readConfig([], {
        KUBERNETES_SERVICE_HOST: '10.0.0.1',
        ...Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))),
      });
      assert.ok(config !== 'help');
      assert.equal(config.tracing?.resource['k8s.cluster.name'], 'west + 1');
      assert.deepEqual([config.tracing.ratio, config.tracing.parentBased], [1, true]);
      const { egress } = find(all, 'NetworkPolicy').spec as { egress: { ports: object[] }[] };
      assert.ok(egress.some(({ ports }) => JSON.stringify(ports) === '[{"protocol":"TCP","port":443}]'));
    },
  ],
  [
    'sources of metrics',
    [
      'analysis.secrets={mimir}',
      'analysis.tokens[0].name=mimir',
      'analysis.tokens[0].audience=https://mimir.example',
      'analysis.customMetrics=false',
      'watchNamespaces={shop}',
    ],
    (all) => {
      const rules = all.flatMap(({ rules = [] }) => rules);
      assert.ok(!rules.some(({ apiGroups }) => /^(custom|external)\.metrics/.test(apiGroups.join())));
      const role = all.find(({ kind, metadata }) => kind === 'Role' && metadata.namespace === 'shop');
      assert.ok(role?.rules?.some(({ apiGroups }) => apiGroups.includes('metrics.k8s.io')));
      assert.ok(rulesOf(all, 'Role', 'tranche-analysis').includes('secrets'));
    },
  ],
  [
    'a Pod of the user’s taste',
    [
      'operator.nodeSelector.disk=ssd',
      'operator.tolerations[0].operator=Exists',
      'operator.priorityClassName=system-cluster-critical',
      'operator.imagePullSecrets[0].name=pull',
      'operator.podLabels.team=a',
      'extraLabels.owner=b',
      'operator.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1',
      'operator.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key=x',
      'operator.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator=Exists',
    ],
    (all) => {
      const pods = podsOf(all);
      assert.equal(pods.length, 3);
      for (const { spec } of pods) {
        assert.deepEqual(spec['nodeSelector'], { disk: 'ssd' });
        assert.deepEqual(spec['tolerations'], [{ operator: 'Exists' }]);
        assert.equal(spec['priorityClassName'], 'system-cluster-critical');
        assert.deepEqual(spec['imagePullSecrets'], [{ name: 'pull' }]);
      }
      for (const { kind, metadata } of all) assert.equal(metadata.labels?.['owner'], 'b', `${kind} ${metadata.name}`);
    },
  ],
  [
    'the network of the node',
    ['operator.hostNetwork=true', 'webhook.port=9555', 'metrics.port=9556'],
    (all) => {
      const { strategy, template } = find(all, 'Deployment').spec as Record<string, PodTemplate & object>;
      const { hostNetwork, dnsPolicy, containers } = template!.spec as Record<string, unknown>;
      assert.deepEqual([hostNetwork, dnsPolicy], [true, 'ClusterFirstWithHostNet']);
      const [{ args, ports }] = containers as [{ args: string[]; ports: object[] }];
      assert.ok(args.includes('--webhook-port=9555') && args.includes('--metrics-port=9556'));
      assert.deepEqual(ports, [
        { name: 'webhook', containerPort: 9555 },
        { name: 'metrics', containerPort: 9556 },
      ]);
      // An old replica has the ports of the node until it is gone.
      assert.deepEqual(strategy, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } });
      for (const kind of ['Job', 'Pod']) assert.doesNotMatch(JSON.stringify(ofKind(all, kind)), /hostNetwork/);
    },
  ],
  [
    'a proxy, flags and annotations',
    [
      'operator.extraEnv[0].name=HTTPS_PROXY',
      'operator.extraEnv[0].value=http://proxy.example:3128',
      'operator.extraArgs={--workers=8}',
      'networkPolicy.extraEgress[0].ports[0].port=3128',
      'operator.annotations.a=deployment',
      'operator.podAnnotations.a=pod',
      'webhook.serviceAnnotations.a=service',
      'jobs.annotations.a=job',
      'jobs.podAnnotations.a=task',
      'jobs.podLabels.b=task',
      'jobs.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight=1',
      'jobs.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].key=x',
      'jobs.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].operator=Exists',
    ],
    (all) => {
      const deployment = find(all, 'Deployment');
      const pod = deployment.spec!['template'];
      const noted = (manifest: Manifest): string | undefined => manifest.metadata.annotations?.['a'];
      assert.deepEqual([noted(deployment), noted(pod)], ['deployment', 'pod']);
      assert.equal(noted(find(all, 'Service', 'tranche-webhook')), 'service');
      const [job] = ofKind(all, 'Job');
      const [cron] = ofKind(all, 'CronJob');
      assert.deepEqual([noted(job!), noted(cron!)], ['job', 'job']);
      const tasks = [job!.spec!['template'], ...ofKind(all, 'Pod')];
      assert.equal(tasks.length, 3);
      for (const task of tasks) {
        assert.deepEqual([noted(task), task.metadata.labels.b], ['task', 'task']);
        assert.ok(task.spec.affinity.nodeAffinity);
      }
      const proxy = { name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' };
      for (const { spec } of [pod, job!.spec!['template'], find(all, 'Pod', 'tranche-drain')])
        assert.deepEqual(spec.containers[0].env.at(-1), proxy);
      assert.equal(pod.spec.containers[0].args.at(-1), '--workers=8');
      assert.deepEqual(find(all, 'NetworkPolicy').spec!['egress'].at(-1), { ports: [{ port: 3128 }] });
    },
  ],
  [
    'security contexts of the user',
    ['operator.podSecurityContext.runAsUser=1000', 'operator.podSecurityContext.fsGroup=null'],
    (all) => {
      for (const { spec } of [...podsOf(all), ofKind(all, 'Job')[0]!.spec!['template']]) {
        assert.deepEqual(spec.securityContext, {
          runAsNonRoot: true,
          runAsUser: 1000,
          runAsGroup: 65532,
          seccompProfile: { type: 'RuntimeDefault' },
        });
      }
    },
  ],
  [
    'outside the cluster',
    ['operator.enabled=false', 'webhook.url=https://10.0.0.1:9443'],
    (all) => assert.equal(podsOf(all).length, 0),
  ],
  [
    'nothing that can be left out',
    ['podDisruptionBudget.enabled=false', 'networkPolicy.enabled=false', 'drain.enabled=false', 'rbac.aggregate=false'],
    (all) => {
      for (const kind of ['PodDisruptionBudget', 'NetworkPolicy'])
        assert.ok(!all.some((one) => one.kind === kind), kind);
      assert.equal(podsOf(all).length, 2);
    },
  ],
];

describe('The chart, for each combination of values that matters,', () => {
  let sandbox: Sandbox;
  let api: ApiClient;

  before(async () => {
    sandbox = await startSandbox();
    const kubeconfig = path.join(temporaryFolder('combinations'), 'kubeconfig');
    await writeFile(kubeconfig, sandbox.kubeconfig, { mode: 0o600 });
    const connection = await connect({ type: 'kubeconfig', files: [kubeconfig] });
    api = createApi({ connection, userAgent: 'test', fieldManager: 'test' });
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    for (const name of ['tranche-system', 'shop', 'pay']) {
      const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
      await api.request({ method: 'POST', path: '/api/v1/namespaces', body });
    }
  });
  after(async () => {
    api.close();
    await sandbox.close();
  });

  /** By an API server that knows every field, and enforces Pod Security "restricted". */
  async function accepted(body: Manifest): Promise<void> {
    const { apiVersion, kind, metadata } = body;
    const plural = `${kind.toLowerCase()}s`.replace(/ys$/, 'ies');
    const where = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
    const path = `${apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`}${where}/${plural}`;
    await api
      .request({ method: 'POST', path, query: { dryRun: 'All', fieldValidation: 'Strict' }, body })
      .catch((error) => {
        throw new Error(`${kind} ${metadata.name}: ${String(error)}`, { cause: error });
      });
  }

  for (const [what, set, check] of COMBINATIONS) {
    it(`is good with ${what}`, async () => {
      const all = await render(...set);
      check(all);
      for (const manifest of all) {
        // Kinds of other projects have no definition here.
        if (!/cert-manager|monitoring\.coreos/.test(manifest.apiVersion)) await accepted(manifest);
      }
    });
  }

  it('lets the API server reach only the replicas, never a Pod that drains or tests', async () => {
    const all = await render();
    const selector = find(all, 'Service', 'tranche-webhook').spec!['selector'] as Record<string, string>;
    const selected = podsOf(all).filter(({ metadata }) =>
      Object.entries(selector).every(([key, value]) => metadata.labels[key] === value),
    );
    assert.deepEqual(selected, [find(all, 'Deployment').spec!['template']]);
  });

  it('asks in alerts and on the dashboard only for metrics that there are', async () => {
    const all = await render('metrics.alerts.enabled=true', 'metrics.dashboard.enabled=true');
    const groups = find(all, 'PrometheusRule').spec!['groups'] as { rules: { expr: string }[] }[];
    const dashboard = parse(find(all, 'ConfigMap', 'tranche-dashboard').data!['tranche.json']!) as {
      panels: { targets: { expr: string }[] }[];
    };
    const expressions = [
      ...groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    assert.ok(expressions.length > 15);
    const exposed = await createMetrics({ version: 'test' }).text();
    const names = new Set([...exposed.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!));
    const asked = expressions.flatMap((expression) => expression.match(/\btranche_\w+/g) ?? []);
    for (const name of asked) assert.ok(names.has(name.replace(/_(bucket|sum|count)$/, '')), name);
  });
});
