// Of docs/fields.md what no schema has: an example for each object, and the labels and annotations.
import * as keys from '../../src/api/keys.ts';

const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const canary = (fields: object): object => ({ spec: { strategy: { canary: fields } } });

/** By the path of the object whose fields they show. A test looks that no field is missing. */
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
  'Reason for going past a policy that you may break. Taken off by admission: it is good once ([policy.md](policy.md#breaking-the-glass)).';

export const ROLLOUT_KEYS: readonly UserKey[] = [
  {
    key: keys.ON_RESTART,
    is: 'annotation',
    values: '`Release`, `Batches`, `Native`',
    fallback: '`Release`',
    what: 'What `kubectl rollout restart` does: a release as any other, one through the steps without approvals, or a normal rolling update.',
  },
  {
    key: keys.ON_DELETE,
    is: 'annotation',
    values: '`Finish`, `Rollback`',
    fallback: '`Finish`',
    what: 'What deleting the Rollout in the middle of a release does with it.',
  },
  {
    key: keys.ROLLING_STYLE,
    is: 'annotation',
    values: '`partition`; `canary` is refused',
    fallback: '`canary`',
    what: 'In v1alpha1 only: releases in the Deployment itself, or an extra canary Deployment.',
  },
  { key: keys.BREAK_GLASS, is: 'annotation', values: 'a sentence', fallback: '', what: glass },
];

export const DEPLOYMENT_KEYS: readonly UserKey[] = [
  {
    key: keys.ROLLOUT_ID,
    is: 'label or annotation',
    values: 'a label value: up to 63 letters, digits, `-`, `_`, `.`',
    fallback: 'made by admission',
    what: 'The id of the release, written in the edit that changes the template, or in one before it.',
  },
  {
    key: keys.TRACEPARENT,
    is: 'annotation',
    values: 'a W3C traceparent',
    fallback: '',
    what: 'The span that the trace of the release is a part of ([operations.md](operations.md)).',
  },
  { key: keys.BREAK_GLASS, is: 'annotation', values: 'a sentence', fallback: '', what: glass },
];

/** What OpenKruise leaves on Deployments. */
const left = "OpenKruise's: read when a release of its is taken over ([migrating](migrating-from-openkruise.md))";

/** Key, on what, what for. */
export const OTHER_KEYS: readonly (readonly [string, string, string])[] = [
  [keys.WORKLOAD_TYPE, 'Deployment', 'label: a Rollout names it'],
  [keys.IN_PROGRESSING, 'Deployment', 'annotation: the Rollout that releases it now'],
  [keys.STABLE_REVISION, 'Deployment', 'label: `pod-template-hash` of the stable version, during a release'],
  [keys.HELD, 'Deployment', 'annotation: your own settings, which are put back at the end'],
  [keys.GIVE_BACK, 'Deployment', 'annotation: the patch that gives it back when nothing of Tranche is alive'],
  [
    keys.FIELD_OWNERS,
    'Deployment',
    'annotation: the field managers of your own settings, which get them back at the end',
  ],
  [keys.STABLE_OF, 'ControllerRevision', 'label: it keeps the template that ran before the release of this Deployment'],
  [keys.CHANGED_BY, 'Deployment', 'annotation: who changed the template'],
  [keys.PAUSED_UNSEEN, 'Deployment', 'annotation: the API server paused it while nobody of ours answered'],
  [keys.GLASS_BROKEN, 'Deployment, Rollout', 'annotation: who went past policy, and why'],
  [keys.ROLLOUT_BATCH_ID, 'Pod', 'label: the step that brought it'],
  [keys.TRIM, 'ReplicaSet', 'annotation: a size that was corrected'],
  [keys.PLAN_HASH, 'Rollout', 'annotation: digest of the steps'],
  [keys.PLAN_CHANGED, 'Rollout', 'annotation: who changed the plan in the middle of a release'],
  [keys.APPROVED, 'Rollout', 'annotation: the approval that an edit of a pause is'],
  [keys.CONVERSION, 'Rollout', 'annotation: what the other version cannot say'],
  [keys.ROLLOUT_FINALIZER, 'Rollout', 'finalizer: the Deployment is given back before the Rollout is gone'],
  [keys.KRUISE_STRATEGY, 'Deployment', left],
  [
    keys.KRUISE_EXTRA_STATUS,
    'Deployment',
    "Ready Pods of the new version, and Pods wanted, for OpenKruise's tools; read when a release of its is taken over",
  ],
  [keys.KRUISE_ORIGINAL_STRATEGY, 'Deployment', left],
  [keys.KRUISE_CONTROL_INFO, 'Deployment', left],
  [keys.KRUISE_ADVANCED, 'Deployment', left],
  [keys.KRUISE_CANARY, 'Deployment', left],
  [keys.KRUISE_BATCH_FINALIZER, 'BatchRelease', left],
  [keys.TRAFFIC_ROUTING, 'Rollout', "annotation of OpenKruise's: refused, no traffic routing yet"],
];
