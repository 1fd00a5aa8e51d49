// The parts of docs/fields.md that the schemas do not contain: examples, labels and annotations.
import * as keys from '../../src/api/keys.ts';

const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const canary = (fields: object): object => ({ spec: { strategy: { canary: fields } } });

const errors = { bad: 'http_requests_total{code=~"5.."}', total: 'http_requests_total', limit: '1%', timesStable: 1.5 };
const slow = { slowerThan: { histogram: 'http_request_duration_seconds', seconds: 0.5 }, limit: '5%' };
const backlog = { query: 'max(queue_depth{namespace="{{namespace}}"})', max: 1000, failures: 3 };
const smoke = { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete', failed: 'Failed' };
const checks = (...analysis: object[]): object =>
  canary({ steps: [{ replicas: '10%', analysis: { seconds: 600 } }, { replicas: '100%' }], analysis });

const ROUTING = { service: 'web', gateway: { httpRouteName: 'web' } };
const beta = { headers: [{ name: 'x-beta', value: '1' }] };
const routed = (step: object, routing: object = ROUTING): object =>
  canary({ trafficRoutings: [routing], steps: [{ replicas: 1, ...step }, { replicas: '100%' }] });
const modified = {
  set: [{ name: 'x-version', value: 'new' }],
  add: [{ name: 'x-trace', value: 'canary' }],
  remove: ['x-debug'],
};

/** Examples by the path of the object whose fields they show. A test checks that they show all fields. */
export const ROLLOUT_EXAMPLES: Readonly<Record<string, object[]>> = {
  spec: [
    {
      spec: {
        workloadRef,
        disabled: false,
        strategy: { canary: { steps: [{ replicas: '50%' }, { replicas: '100%' }] } },
      },
    },
  ],
  'spec.workloadRef': [{ spec: { workloadRef } }],
  'spec.strategy': [
    { spec: { strategy: { paused: true, canary: { steps: [{ replicas: 1 }, { replicas: '100%' }] } } } },
  ],
  'spec.strategy.canary': [
    canary({
      steps: [{ replicas: 1 }, { replicas: '100%' }],
      failureThreshold: '10%',
      stepDeadlineSeconds: 300,
      onFailure: 'Rollback',
      rollbackWindow: { revisions: 1 },
      analysis: [{ name: 'errors', ratio: errors }],
    }),
    canary({ trafficRoutings: [ROUTING], steps: [{ replicas: 1, traffic: '5%' }, { replicas: '100%' }] }),
    canary({ trafficRoutingRef: 'lane', steps: [{ replicas: 1 }, { replicas: '100%' }] }),
  ],
  'spec.strategy.canary.trafficRoutings[]': [routed({ traffic: '5%' }, { ...ROUTING, gracePeriodSeconds: 10 })],
  'spec.strategy.canary.trafficRoutings[].gateway': [
    routed({ traffic: '5%' }),
    routed({ traffic: '5%' }, { service: 'web', gateway: { grpcRouteName: 'web' } }),
  ],
  'spec.strategy.canary.rollbackWindow': [
    canary({
      steps: [{ replicas: 1 }, { replicas: '100%' }],
      rollbackWindow: { revisions: 2, seconds: 86_400 },
    }),
  ],
  'spec.strategy.canary.analysis[]': [
    checks(
      { name: 'errors', source: 'main', intervalSeconds: 30, warmUpSeconds: 60, onFailure: 'Rollback', ratio: errors },
      { name: 'queue', value: backlog },
      { name: 'memory', pods: { resource: 'memory', timesStable: 1.5 } },
      { name: 'smoke', condition: smoke },
    ),
  ],
  'spec.strategy.canary.analysis[].ratio': [
    checks({ name: 'errors', ratio: { ...errors, fineBelowTimesStable: 3 } }, { name: 'slow', ratio: slow }),
  ],
  'spec.strategy.canary.analysis[].ratio.slowerThan': [checks({ name: 'slow', ratio: slow })],
  'spec.strategy.canary.analysis[].value': [
    checks(
      { name: 'queue', value: backlog },
      { name: 'orders', value: { external: { metric: 'orders_per_minute' }, min: 10 } },
      { name: 'score', source: 'tests', value: { web: { path: '/score', jsonPath: '{.score}' }, min: 0.9 } },
    ),
  ],
  'spec.strategy.canary.analysis[].value.external': [
    checks({
      name: 'orders',
      value: { external: { metric: 'orders_per_minute', selector: 'region=eu' }, min: 10, max: 10_000 },
    }),
  ],
  'spec.strategy.canary.analysis[].value.web': [
    checks({ name: 'score', source: 'tests', value: { web: { path: '/score', jsonPath: '{.score}' }, min: 0.9 } }),
  ],
  'spec.strategy.canary.analysis[].pods': [
    checks(
      { name: 'memory', pods: { resource: 'memory', timesStable: 1.5 } },
      { name: 'queue', pods: { metric: 'queue_length', timesStable: 2 } },
    ),
  ],
  'spec.strategy.canary.analysis[].condition': [checks({ name: 'smoke', condition: smoke })],
  'spec.strategy.canary.steps[]': [
    canary({
      steps: [
        { replicas: 1 },
        { replicas: '50%', pause: { duration: 600 } },
        { replicas: '80%', analysis: { seconds: 600 } },
        { replicas: '100%' },
      ],
      analysis: [{ name: 'errors', ratio: errors }],
    }),
    canary({
      trafficRoutings: [ROUTING],
      steps: [
        { replicas: 1, matches: [beta], requestHeaderModifier: modified },
        { replicas: 1, traffic: '5%' },
        { replicas: '50%', traffic: '50%' },
        { replicas: '100%' },
      ],
    }),
  ],
  'spec.strategy.canary.steps[].matches[]': [
    routed({ matches: [beta, { path: { value: '/next' } }, { queryParams: [{ name: 'beta', value: '1' }] }] }),
  ],
  'spec.strategy.canary.steps[].matches[].path': [
    routed({ matches: [{ path: { type: 'PathPrefix', value: '/next' } }] }),
  ],
  'spec.strategy.canary.steps[].matches[].headers[]': [
    routed({ matches: [{ headers: [{ type: 'RegularExpression', name: 'x-user', value: 'tester-.*' }] }] }),
  ],
  'spec.strategy.canary.steps[].matches[].queryParams[]': [
    routed({ matches: [{ queryParams: [{ type: 'Exact', name: 'beta', value: '1' }] }] }),
  ],
  'spec.strategy.canary.steps[].requestHeaderModifier': [routed({ matches: [beta], requestHeaderModifier: modified })],
  'spec.strategy.canary.steps[].requestHeaderModifier.add[]': [
    routed({ matches: [beta], requestHeaderModifier: { add: modified.add } }),
  ],
  'spec.strategy.canary.steps[].requestHeaderModifier.set[]': [
    routed({ matches: [beta], requestHeaderModifier: { set: modified.set } }),
  ],
  'spec.strategy.canary.steps[].analysis': [
    canary({
      steps: [{ replicas: '10%', analysis: { seconds: 600, minTotal: 500, lowTraffic: 'Wait' } }, { replicas: '100%' }],
      analysis: [{ name: 'errors', ratio: errors }],
    }),
  ],
  'spec.strategy.canary.steps[].pause': [
    canary({ steps: [{ replicas: 1, pause: {} }, { replicas: '50%', pause: { duration: 0 } }, { replicas: '100%' }] }),
  ],
};

const selector = (key: string): object => ({
  matchLabels: { [key]: 'production' },
  matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['sandbox'] }],
});
const match = (fields: object): object => ({ spec: { match: fields, requireRollout: true } });
const window = { schedule: '0 16 * * FRI', durationSeconds: 230_400, reason: 'weekend' };

export const POLICY_EXAMPLES: Readonly<Record<string, object[]>> = {
  spec: [
    {
      spec: {
        match: { namespaceSelector: { matchLabels: { env: 'production' } } },
        enforcement: 'Warn',
        requireRollout: true,
        steps: { manual: 'First' },
        approval: { required: 1 },
        analysis: { required: ['Ratio'] },
        windows: { deny: [window] },
        maxConcurrentReleases: 3,
        protectInFlight: true,
        rollbackWindow: { maxRevisions: 1 },
        breakGlass: { groups: ['sre-oncall'] },
      },
    },
  ],
  'spec.match': [match({ namespaceSelector: { matchLabels: { env: 'production' } }, workloadSelector: {} })],
  'spec.match.namespaceSelector': [match({ namespaceSelector: selector('env') })],
  'spec.match.namespaceSelector.matchExpressions[]': [
    match({
      namespaceSelector: { matchExpressions: [{ key: 'env', operator: 'In', values: ['production', 'staging'] }] },
    }),
  ],
  'spec.match.workloadSelector': [match({ workloadSelector: selector('tier') })],
  'spec.match.workloadSelector.matchExpressions[]': [
    match({ workloadSelector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['frontend'] }] } }),
  ],
  'spec.rollbackWindow': [{ spec: { rollbackWindow: { maxRevisions: 1, maxSeconds: 86_400 } } }],
  'spec.steps': [
    { spec: { steps: { maxFirstStep: 1, maxIncrement: '50%', minSteps: 3, minPauseSeconds: 600, manual: 'First' } } },
  ],
  'spec.approval': [
    { spec: { approval: { required: 2, users: ['jane'], groups: ['release-managers'], notAuthor: true } } },
    { spec: { approval: { groups: ['release-managers'], exemptRestarts: true } } },
  ],
  'spec.analysis': [
    {
      spec: {
        analysis: {
          sources: ['main', 'kubernetes'],
          required: ['Ratio'],
          minSeconds: 600,
          override: { groups: ['sre-oncall'] },
        },
        protectInFlight: true,
      },
    },
  ],
  'spec.analysis.override': [
    { spec: { analysis: { override: { users: ['jane'], groups: ['sre-oncall'] } }, protectInFlight: true } },
  ],
  'spec.windows': [
    {
      spec: {
        windows: {
          timeZone: 'Europe/Berlin',
          allow: [{ schedule: '0 9 * * MON-FRI', durationSeconds: 28_800 }],
          deny: [window],
        },
      },
    },
  ],
  'spec.windows.deny[]': [{ spec: { windows: { deny: [window] } } }],
  'spec.windows.allow[]': [
    {
      spec: { windows: { allow: [{ schedule: '0 9 * * *', durationSeconds: 3600, reason: 'only from nine to ten' }] } },
    },
  ],
  'spec.breakGlass': [{ spec: { protectInFlight: true, breakGlass: { groups: ['sre-oncall'] } } }],
};

const main = { url: 'http://prometheus.monitoring:9090' };
const monitoring = { namespace: 'monitoring', name: 'prometheus', port: 9090, scheme: 'http', path: '/' };

export const METRIC_SOURCE_EXAMPLES: Readonly<Record<string, object[]>> = {
  spec: [
    { spec: { prometheus: main, namespaceSelector: { matchLabels: { env: 'production' } } } },
    { spec: { web: { url: 'https://tests.example.org/results' } } },
  ],
  'spec.prometheus': [
    {
      spec: {
        prometheus: {
          url: 'https://thanos.example.org',
          secretName: 'thanos',
          parameters: { dedup: 'true', partial_response: 'false' },
          timeoutSeconds: 20,
        },
      },
    },
    {
      spec: {
        prometheus: {
          url: 'https://mimir.example.org/prometheus',
          headers: { 'X-Scope-OrgID': '{{namespace}}' },
          bearerTokenFile: `${keys.TOKEN_FOLDER}mimir`,
          enforceNamespace: true,
          namespaceLabel: 'namespace',
          podLabel: 'pod',
        },
      },
    },
  ],
  'spec.prometheus.service': [{ spec: { prometheus: { service: monitoring } } }],
  'spec.web': [
    {
      spec: {
        web: {
          url: 'https://tests.example.org/results',
          headers: { 'X-Team': '{{namespace}}' },
          secretName: 'tests',
          timeoutSeconds: 5,
        },
      },
    },
    { spec: { web: { url: 'https://tests.example.org', bearerTokenFile: `${keys.TOKEN_FOLDER}tests` } } },
  ],
  'spec.web.service': [
    { spec: { web: { service: { namespace: 'tests', name: 'results', port: 8443, scheme: 'https', path: '/v1' } } } },
  ],
  'spec.namespaceSelector': [{ spec: { prometheus: main, namespaceSelector: selector('env') } }],
  'spec.namespaceSelector.matchExpressions[]': [
    {
      spec: {
        prometheus: main,
        namespaceSelector: { matchExpressions: [{ key: 'env', operator: 'In', values: ['production', 'staging'] }] },
      },
    },
  ],
};

export interface UserKey {
  readonly key: string;
  readonly is: 'label' | 'annotation' | 'label or annotation';
  readonly values: string;
  readonly fallback: string;
  readonly what: string;
}

const glass =
  'Reason for an exception from a policy. Admission removes it: it is valid for one change ([policy.md](policy.md#break-glass)).';

export const ROLLOUT_KEYS: readonly UserKey[] = [
  {
    key: keys.TRAFFIC_ROUTING,
    is: 'annotation',
    values: 'a name',
    fallback: '',
    what: 'Name of a TrafficRouting, as `trafficRoutingRef`, which v1alpha1 does not have.',
  },
  {
    key: keys.ON_RESTART,
    is: 'annotation',
    values: '`Release`, `Batches`, `Native`',
    fallback: '`Release`',
    what: 'Effect of `kubectl rollout restart`: a normal release, a release whose steps need no approval, or a native rolling update.',
  },
  {
    key: keys.ON_DELETE,
    is: 'annotation',
    values: '`Finish`, `Rollback`',
    fallback: '`Finish`',
    what: 'Effect of deleting the Rollout during a release: the new version is finished without steps, or the stable version is restored.',
  },
  {
    key: keys.ROLLING_STYLE,
    is: 'annotation',
    values: '`partition`; `canary` is refused',
    fallback: '`canary`',
    what: 'In v1alpha1 only: the release updates the Deployment itself, or uses an extra canary Deployment.',
  },
  { key: keys.BREAK_GLASS, is: 'annotation', values: 'a sentence', fallback: '', what: glass },
];

export const DEPLOYMENT_KEYS: readonly UserKey[] = [
  {
    key: keys.ROLLOUT_ID,
    is: 'label or annotation',
    values: 'a label value: up to 63 letters, digits, `-`, `_`, `.`',
    fallback: 'generated by admission',
    what: 'Id of the release. Set it in the request that changes the template, or before.',
  },
  {
    key: keys.TRACEPARENT,
    is: 'annotation',
    values: 'a W3C traceparent',
    fallback: '',
    what: 'Parent span of the trace of the release ([traces.md](traces.md)).',
  },
  { key: keys.BREAK_GLASS, is: 'annotation', values: 'a sentence', fallback: '', what: glass },
];

/** Keys that OpenKruise leaves on workloads. */
const left = 'set by OpenKruise; read during a takeover ([migrating](migrating-from-openkruise.md))';

/** Key, kind of the object, and purpose. */
export const OTHER_KEYS: readonly (readonly [string, string, string])[] = [
  [keys.WORKLOAD_TYPE, 'workload', 'label: the workload is enrolled'],
  [keys.IN_PROGRESSING, 'workload', 'annotation: the Rollout of the current release'],
  [keys.STABLE_REVISION, 'workload', 'label: the revision of the stable version, during a release'],
  [keys.HELD, 'workload', 'annotation: your settings, which are restored at the end of the release'],
  [keys.GIVE_BACK, 'workload', 'annotation: a patch that restores your settings if Tranche does not run'],
  [keys.BUDGET, 'Deployment', 'label: the `maxSurge` and `maxUnavailable` that Tranche has set, and when'],
  [
    keys.FIELD_OWNERS,
    'workload',
    'annotation: the field managers of your settings, which own them again after the release',
  ],
  [keys.STABLE_OF, 'ControllerRevision', 'label: the workload whose stable template it contains'],
  [keys.CHANGED_BY, 'workload', 'annotation: the user who changed the template'],
  [keys.PAUSED_UNSEEN, 'Deployment', 'annotation: the API server paused the Deployment while no webhook answered'],
  [keys.GLASS_BROKEN, 'workload, Rollout', 'annotation: the user who overrode a policy, and the reason'],
  [
    keys.ROLLOUT_BATCH_ID,
    'Pod',
    'label: the step that created the Pod, if the id of the release was set or `releases.labelPods` is true',
  ],
  [keys.TRIM, 'ReplicaSet', 'annotation: the last correction of its size'],
  [keys.PLAN_HASH, 'Rollout', 'annotation: digest of the steps'],
  [keys.PLAN_CHANGED, 'Rollout', 'annotation: the users who changed the plan during a release'],
  [keys.APPROVED, 'Rollout', 'annotation: an approval that was given by an edit of a pause'],
  [keys.CONVERSION, 'Rollout', 'annotation: fields that the other version cannot express'],
  [
    keys.AGGREGATE_TO_CONDITIONS,
    'ClusterRole',
    'label, `true`: Tranche gets the rules too, for the check `condition` ([metric-sources.md](metric-sources.md#objects-with-conditions))',
  ],
  [keys.ROLLOUT_FINALIZER, 'Rollout', 'finalizer: the workload is given back before the Rollout is deleted'],
  [keys.KRUISE_STRATEGY, 'Deployment', left],
  [
    keys.KRUISE_EXTRA_STATUS,
    'Deployment',
    "Ready Pods of the new version, and desired Pods, for OpenKruise's tools; also read during a takeover",
  ],
  [keys.KRUISE_ORIGINAL_STRATEGY, 'Deployment', left],
  [keys.KRUISE_CONTROL_INFO, 'workload', left],
  [keys.KRUISE_DAEMON_STRATEGY, 'DaemonSet', left],
  [keys.KRUISE_DAEMON_REVISION, 'DaemonSet', left],
  [keys.KRUISE_DAEMON_CONTROL, 'DaemonSet', left],
  [keys.KRUISE_ADVANCED, 'Deployment', left],
  [keys.KRUISE_CANARY, 'Deployment', left],
  [keys.KRUISE_BATCH_FINALIZER, 'BatchRelease', left],
  [
    keys.TRAFFIC,
    'route, Service',
    'label: the Rollout that changed the route, or created the Service, for its release',
  ],
  [keys.TRAFFIC, 'workload', 'annotation: `Apart` or `Shared`, while the versions get requests by their Services'],
  [keys.TRAFFIC_ROUTING, 'TrafficRouting', 'finalizer: its route must be given back first'],
  [keys.PROGRESSING_ROLLOUT, 'TrafficRouting', 'prefix of finalizers: the Rollouts that have a release and name it'],
];
