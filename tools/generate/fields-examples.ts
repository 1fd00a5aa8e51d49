// The parts of docs/fields.md that the schemas do not contain: examples, labels and annotations.
import * as keys from '../../src/api/keys.ts';

const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const canary = (fields: object): object => ({ spec: { strategy: { canary: fields } } });

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
    }),
  ],
  'spec.strategy.canary.steps[]': [
    canary({ steps: [{ replicas: 1 }, { replicas: '50%', pause: { duration: 600 } }, { replicas: '100%' }] }),
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
        windows: { deny: [window] },
        maxConcurrentReleases: 3,
        protectInFlight: true,
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
  'spec.steps': [
    { spec: { steps: { maxFirstStep: 1, maxIncrement: '50%', minSteps: 3, minPauseSeconds: 600, manual: 'First' } } },
  ],
  'spec.approval': [
    { spec: { approval: { required: 2, users: ['jane'], groups: ['release-managers'], notAuthor: true } } },
    { spec: { approval: { groups: ['release-managers'], exemptRestarts: true } } },
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

/** Keys that OpenKruise leaves on Deployments. */
const left = 'set by OpenKruise; read during a takeover ([migrating](migrating-from-openkruise.md))';

/** Key, kind of the object, and purpose. */
export const OTHER_KEYS: readonly (readonly [string, string, string])[] = [
  [keys.WORKLOAD_TYPE, 'Deployment', 'label: the Deployment is enrolled'],
  [keys.IN_PROGRESSING, 'Deployment', 'annotation: the Rollout of the current release'],
  [keys.STABLE_REVISION, 'Deployment', 'label: `pod-template-hash` of the stable version, during a release'],
  [keys.HELD, 'Deployment', 'annotation: your settings, which are restored at the end of the release'],
  [keys.GIVE_BACK, 'Deployment', 'annotation: a patch that restores your settings if Tranche does not run'],
  [
    keys.FIELD_OWNERS,
    'Deployment',
    'annotation: the field managers of your settings, which own them again after the release',
  ],
  [keys.STABLE_OF, 'ControllerRevision', 'label: the Deployment whose stable template it contains'],
  [keys.CHANGED_BY, 'Deployment', 'annotation: the user who changed the template'],
  [keys.PAUSED_UNSEEN, 'Deployment', 'annotation: the API server paused the Deployment while no webhook answered'],
  [keys.GLASS_BROKEN, 'Deployment, Rollout', 'annotation: the user who overrode a policy, and the reason'],
  [keys.ROLLOUT_BATCH_ID, 'Pod', 'label: the step that created the Pod'],
  [keys.TRIM, 'ReplicaSet', 'annotation: the last correction of its size'],
  [keys.PLAN_HASH, 'Rollout', 'annotation: digest of the steps'],
  [keys.PLAN_CHANGED, 'Rollout', 'annotation: the users who changed the plan during a release'],
  [keys.APPROVED, 'Rollout', 'annotation: an approval that was given by an edit of a pause'],
  [keys.CONVERSION, 'Rollout', 'annotation: fields that the other version cannot express'],
  [keys.ROLLOUT_FINALIZER, 'Rollout', 'finalizer: the Deployment is given back before the Rollout is deleted'],
  [keys.KRUISE_STRATEGY, 'Deployment', left],
  [
    keys.KRUISE_EXTRA_STATUS,
    'Deployment',
    "Ready Pods of the new version, and desired Pods, for OpenKruise's tools; also read during a takeover",
  ],
  [keys.KRUISE_ORIGINAL_STRATEGY, 'Deployment', left],
  [keys.KRUISE_CONTROL_INFO, 'Deployment', left],
  [keys.KRUISE_ADVANCED, 'Deployment', left],
  [keys.KRUISE_CANARY, 'Deployment', left],
  [keys.KRUISE_BATCH_FINALIZER, 'BatchRelease', left],
  [keys.TRAFFIC_ROUTING, 'Rollout', 'annotation of OpenKruise: refused, traffic routing is not supported yet'],
];
