// A typical Deployment (two containers, probes, environment; about 12 kB when stored), its Rollout, and copies of both.
import { createHash } from 'node:crypto';
import type { KubeObject } from '@tranche/sandbox/types';
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import type { PodTemplate } from '../../../src/api/types.ts';
import { templateDigest } from '../../../src/engine/lib/template.ts';

export const SEED = { namespace: 'bench-0', name: 'seed-app' } as const;
/** Number of Deployments per namespace. */
export const PER_NAMESPACE = 20;

const probe = (path: string, port: number): object => ({
  httpGet: { path, port, scheme: 'HTTP' },
  initialDelaySeconds: 5,
  periodSeconds: 10,
  timeoutSeconds: 3,
  failureThreshold: 3,
});

const env = (name: string): object[] => [
  { name: 'VERSION', value: 'v1' },
  { name: 'SERVICE_NAME', value: name },
  { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
  { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  { name: 'DATABASE_URL', value: `postgres://${name}@${name}-db.databases.svc.cluster.local:5432/${name}` },
  { name: 'DATABASE_PASSWORD', valueFrom: { secretKeyRef: { name: `${name}-db`, key: 'password' } } },
  { name: 'CACHE_URL', value: `redis://${name}-cache.caches.svc.cluster.local:6379/0` },
  { name: 'LOG_LEVEL', value: 'info' },
  { name: 'LOG_FORMAT', value: 'json' },
  { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://otel-collector.observability.svc:4317' },
  { name: 'OTEL_SERVICE_NAME', value: name },
  { name: 'JAVA_TOOL_OPTIONS', value: '-XX:MaxRAMPercentage=75 -XX:+ExitOnOutOfMemoryError' },
  { name: 'FEATURE_NEW_CHECKOUT', value: 'false' },
];

/** The Deployment as a chart might render it. */
export function deployment(namespace: string, name: string, replicas: number): KubeObject {
  const labels = {
    'app.kubernetes.io/name': name,
    'app.kubernetes.io/instance': `${name}-production`,
    'app.kubernetes.io/part-of': 'shop',
  };
  const containers = [
    {
      name: 'app',
      image: `registry.example.com/shop/${name}:v1`,
      ports: [
        { name: 'http', containerPort: 8080 },
        { name: 'metrics', containerPort: 9090 },
      ],
      env: env(name),
      envFrom: [{ configMapRef: { name: `${name}-config` } }],
      resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '1Gi' } },
      startupProbe: probe('/startup', 8080),
      readinessProbe: probe('/ready', 8080),
      livenessProbe: probe('/live', 8080),
      lifecycle: { preStop: { exec: { command: ['sleep', '10'] } } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      volumeMounts: [
        { name: 'config', mountPath: '/etc/app', readOnly: true },
        { name: 'tmp', mountPath: '/tmp' },
      ],
    },
    {
      name: 'proxy',
      image: 'registry.example.com/platform/proxy:1.29.4',
      args: ['--config', '/etc/proxy/proxy.yaml', '--log-level', 'warning'],
      ports: [{ name: 'proxy', containerPort: 15001 }],
      env: [
        { name: 'NODE_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
        { name: 'UPSTREAM', value: 'http://127.0.0.1:8080' },
      ],
      resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '128Mi' } },
      readinessProbe: probe('/healthz', 15021),
      volumeMounts: [{ name: 'proxy-config', mountPath: '/etc/proxy', readOnly: true }],
    },
  ];
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name,
      namespace,
      labels: { ...labels, 'helm.sh/chart': 'service-3.14.2', 'app.kubernetes.io/managed-by': 'Helm' },
      annotations: {
        'meta.helm.sh/release-name': name,
        'meta.helm.sh/release-namespace': namespace,
        'example.com/owner': 'team-checkout',
        'example.com/runbook': `https://runbooks.example.com/services/${name}`,
      },
    },
    spec: {
      replicas,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 10 } },
      selector: { matchLabels: labels },
      template: {
        metadata: {
          labels,
          annotations: {
            'prometheus.io/scrape': 'true',
            'prometheus.io/port': '9090',
            'checksum/config': 'a'.repeat(64),
          },
        },
        spec: {
          serviceAccountName: 'default',
          containers,
          securityContext: { runAsNonRoot: true, fsGroup: 2000 },
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'topology.kubernetes.io/zone',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: { 'app.kubernetes.io/name': name } },
            },
          ],
          volumes: [
            { name: 'config', configMap: { name: `${name}-config` } },
            { name: 'proxy-config', configMap: { name: `${name}-proxy` } },
            { name: 'tmp', emptyDir: {} },
          ],
        },
      },
    },
  };
}

/** kubectl apply keeps the whole manifest in an annotation. */
export function withLastApplied(object: KubeObject): KubeObject {
  const key = 'kubectl.kubernetes.io/last-applied-configuration';
  const annotations = { ...object.metadata.annotations, [key]: `${JSON.stringify(object)}\n` };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Three equal steps without pauses. */
export function rollout(
  namespace: string,
  name: string,
  replicas: number,
  analysis: readonly AnalysisCheck[] = [],
): KubeObject {
  const pause = { duration: 0 };
  const steps = [1, 2, 3].map((step) => ({ replicas: step === 3 ? '100%' : (replicas * step) / 3, pause }));
  return {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name, namespace },
    spec: {
      workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      strategy: { canary: { steps, ...(analysis.length > 0 && { analysis }) } },
    },
  };
}

/** The patch that starts a release. */
export const newVersion = (version: string): object => ({
  spec: { template: { spec: { containers: [{ name: 'app', env: [{ name: 'VERSION', value: version }] }] } } },
});

export const placeOf = (index: number): { namespace: string; name: string } => ({
  namespace: `bench-${Math.floor(index / PER_NAMESPACE)}`,
  name: `service-${String(index).padStart(5, '0')}`,
});

/** Copies a stored object and its dependents with other names and uids. */
export function copier(of: readonly KubeObject[], newUid: () => string): (index: number) => KubeObject[] {
  const uids = [...new Set(of.map(({ metadata }) => metadata.uid!))];
  const texts = of.map((object) => JSON.stringify(object));
  const marks = new RegExp([...uids, SEED.namespace, SEED.name].join('|'), 'g');
  return (index) => {
    const { namespace, name } = placeOf(index);
    const words = new Map([
      ...uids.map((uid) => [uid, newUid()] as const),
      [SEED.namespace, namespace],
      [SEED.name, name],
    ]);
    const copies = texts.map((text) => JSON.parse(text.replace(marks, (word) => words.get(word)!)) as KubeObject);
    // The digests in the status must match the changed template.
    const template = copies.find(({ kind }) => kind === 'Deployment')!.spec.template as PodTemplate;
    const digest = templateDigest(template, sha256);
    for (const { kind, status } of copies) {
      if (kind === 'Rollout')
        Object.assign(status.canaryStatus as object, { templateDigest: digest, stableDigest: digest });
    }
    return copies;
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
