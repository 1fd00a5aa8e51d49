// JSON Schemas of Rollout v1beta1 and v1alpha1: the single source of the CRD (make generate) and of what admission checks (ajv).
import { API_VERSION, KIND_NAME, OPTIONAL_SUBDOMAIN_NAME, SUBDOMAIN_NAME } from '../names.ts';
import {
  flag,
  int32,
  int64,
  intOrString,
  list,
  nameText,
  object,
  text,
  time,
  type CelRule,
  type JsonSchema,
} from './json-schema.ts';
import {
  disableGenerateCanaryService,
  matchesV1alpha1,
  matchesV1beta1,
  patchPodTemplateMetadata,
  requestHeaderModifier,
  trafficRoutings,
} from './traffic.ts';

const MAX_STEPS = 50;
const PERCENT = '^([1-9][0-9]?|100)%$';

const workloadRef = object(
  'The workload to release: a Deployment (apps/v1) of the same namespace.',
  {
    apiVersion: nameText('API version, e.g. apps/v1.', API_VERSION),
    kind: nameText('Kind, e.g. Deployment.', KIND_NAME),
    name: nameText('Name.', SUBDOMAIN_NAME),
  },
  { required: ['apiVersion', 'kind', 'name'] },
);

const stepReplicas = intOrString(
  'How many Pods run the new version after this step: an integer is Pods, a string such as "50%" is a share of spec.replicas, rounded up.',
  { minimum: 1, pattern: PERCENT },
);

const pause = object('What the step waits for once its Pods are available.', {
  duration: int32('Seconds, at most a year (31536000); 0 goes on at once. Default none: the step waits for approval.', {
    minimum: 0,
  }),
});

const failureThreshold = intOrString(
  "How many of a step's Pods (integer, or percent rounded up) may be unavailable when it completes. Default 0.",
  { minimum: 0, pattern: '^([1-9]?[0-9]|100)%$' },
);

/**
 * A percent is looked up in a table: Kubernetes takes an int-or-string for the longest text there can be, and any function
 * that reads it (`string()` and `replace()` too) for more than a hundred times what a rule may cost.
 */
const percentTable = `{${Array.from({ length: 100 }, (_, i) => `"${i + 1}%": ${i + 1}`).join(', ')}}`;

const ordered: readonly CelRule[] = [
  {
    rule: 'self.filter(s, has(s.replicas) && type(s.replicas) == int).map(s, int(s.replicas)).isSorted()',
    message: 'steps must not go back: replicas of a step is less than that of a step before it',
  },
  {
    rule: `self.filter(s, has(s.replicas) && type(s.replicas) == string).map(s, ${percentTable}[s.replicas]).isSorted()`,
    message: 'steps must not go back: the percent of a step is less than that of a step before it',
  },
];

const steps = (item: JsonSchema, rules: readonly CelRule[] = []): JsonSchema =>
  list('The steps of a release, in order.', item, {
    minItems: 1,
    maxItems: MAX_STEPS,
    'x-kubernetes-validations': [...ordered, ...rules],
  });

const stepV1beta1 = object(
  'A step.',
  {
    replicas: stepReplicas,
    traffic: text('Share of the traffic, e.g. "20%". Without effect; no traffic routing yet.', { maxLength: 16 }),
    matches: matchesV1beta1,
    requestHeaderModifier,
    pause,
  },
  { required: ['replicas'] },
);

const stepV1alpha1 = object('A step.', {
  replicas: stepReplicas,
  weight: int32('Share of the traffic in percent; without replicas, also the share of Pods.'),
  matches: matchesV1alpha1,
  requestHeaderModifier,
  pause,
});

/** Ours, beside OpenKruise's fields. */
const failurePolicy = {
  stepDeadlineSeconds: int32(
    'Seconds, at most a year, that the Pods of a step have to become available, beside minReadySeconds; 0 = no deadline. Default 600.',
    {
      minimum: 0,
    },
  ),
  onFailure: text(
    'When a step misses its deadline, or its Pods fail or cannot be made: Hold stops there, Rollback puts the stable version back. Default Hold.',
    { enum: ['Hold', 'Rollback'] },
  ),
};

const trafficFields = { trafficRoutings, disableGenerateCanaryService };

const canaryV1beta1 = object(
  'Releases batch by batch.',
  {
    steps: steps(stepV1beta1),
    failureThreshold,
    ...failurePolicy,
    ...trafficFields,
    trafficRoutingRef: nameText('A TrafficRouting. Refused: no traffic routing yet.', OPTIONAL_SUBDOMAIN_NAME),
    enableExtraWorkloadForCanary: flag('An extra canary Deployment. Refused: not yet.'),
    patchPodTemplateMetadata,
  },
  { required: ['steps'] },
);

const blueGreen = object('Refused: no blue-green releases yet.', {
  steps: list('Steps.', stepV1beta1, { maxItems: MAX_STEPS }),
  failureThreshold,
  ...trafficFields,
  trafficRoutingRef: nameText('A TrafficRouting.', OPTIONAL_SUBDOMAIN_NAME),
});

const specV1beta1 = object(
  'What to release, and in which steps.',
  {
    workloadRef,
    disabled: flag(
      'true: changes of the workload are let through, a release that runs is finished natively. Default false.',
    ),
    strategy: object(
      'How to release.',
      {
        paused: flag('true: the release stops where it is until this is false again. Default false.'),
        canary: canaryV1beta1,
        blueGreen,
      },
      {
        'x-kubernetes-validations': [
          { rule: 'has(self.canary) != has(self.blueGreen)', message: 'write exactly one strategy: canary' },
        ],
      },
    ),
  },
  { required: ['workloadRef', 'strategy'] },
);

const specV1alpha1 = object(
  'What to release, and in which steps.',
  {
    objectRef: object('What to release.', { workloadRef }, { required: ['workloadRef'] }),
    rolloutID: text('Without effect; write the label rollouts.kruise.io/rollout-id on the Deployment.', {
      maxLength: 253,
    }),
    disabled: flag(
      'true: changes of the workload are let through, a release that runs is finished natively. Default false.',
    ),
    strategy: object(
      'How to release.',
      {
        paused: flag('true: the release stops where it is until this is false again. Default false.'),
        canary: object(
          'Releases batch by batch.',
          {
            steps: steps(stepV1alpha1, [
              {
                rule: 'self.all(s, has(s.replicas) || has(s.weight))',
                message: 'write replicas for every step',
              },
            ]),
            failureThreshold,
            ...failurePolicy,
            ...trafficFields,
            patchPodTemplateMetadata,
          },
          { required: ['steps'] },
        ),
      },
      { required: ['canary'] },
    ),
  },
  { required: ['objectRef', 'strategy'] },
);

const approvals = list(
  'Who approved which step of this release.',
  object(
    'An approval.',
    {
      step: int32('Number of the step, from 1.'),
      rolloutID: text('Id of the release.'),
      revision: text('pod-template-hash of the version.'),
      user: text('Who.'),
      time: time('When.'),
      plan: text('Digest of the plan that was approved.'),
      groups: list('Of the groups that a policy names, those of the user.', text('A group.')),
      past: list('Policies that the user went past, with broken glass.', text('A policy.')),
    },
    { required: ['step', 'user', 'time'] },
  ),
);

const commonStatus = {
  observedWorkloadGeneration: int64('Generation of the workload that this status is about.'),
  observedRolloutID: text('Id of the release that this status is about.'),
  rolloutHash: text('Digest of the steps.'),
  stableRevision: text('pod-template-hash of the stable version.'),
  podTemplateHash: text('pod-template-hash of the version being released.'),
  currentStepIndex: int32('The step that runs, from 1.'),
  nextStepIndex: int32('The step that follows; -1 = none.'),
  currentStepState: text('Where the step is; StepPaused waits, and StepReady written there approves it.'),
  finalisingStep: text('Where the end of the release is.'),
  message: text('What happens now.'),
  lastUpdateTime: time('When the step last changed.'),
};

const canaryStatus = object('The release that runs, or the last one.', {
  ...commonStatus,
  canaryRevision: text('pod-template-hash of the version being released.'),
  canaryReplicas: int32('Pods of the version being released.'),
  canaryReadyReplicas: int32('Of those, available.'),
  approvals,
  templateDigest: text('sha256 of the template that this status is about.'),
  stableDigest: text('sha256 of the stable template.'),
  keepsReplicas: flag('The step began with more updated Pods than its target: they are kept.'),
  plan: list('The replicas of each step, as this status knows them.', intOrString('Replicas of a step.')),
  planChanged: flag(
    'The number of steps changed during the release: the step waits for approval, whatever its pause says.',
  ),
  notBegun: flag('The step begins when it is approved.'),
  releasedRolloutID: text('Id of the last release, where another id was set on the Deployment after it ended.'),
  grantedReplicas: intOrString('Under a policy that requires approvals: replicas of the step when it was entered.', {}),
  stepReplicas: int32('Pods that the workload was to have when the step began, and again when it was done.'),
});

const conditions = list(
  'Conditions.',
  object(
    'A condition.',
    {
      type: text('Type.'),
      status: text('True, False or Unknown.'),
      reason: text('Reason.'),
      message: text('Message.'),
      lastUpdateTime: time('When it was last written.'),
      lastTransitionTime: time('When its status last changed.'),
    },
    { required: ['type', 'status'] },
  ),
);

const history = list(
  'The last releases, newest first.',
  object(
    'A release.',
    {
      rolloutID: text('Id.'),
      revision: text('pod-template-hash.'),
      author: text('Who changed the workload.'),
      startTime: time('Start.'),
      endTime: time('End.'),
      outcome: text('How it ended.'),
      approvals,
      brokenGlass: list(
        'Who went past policy.',
        object('An exception.', { user: text('Who.'), reason: text('Why.'), time: time('When.') }),
      ),
      trace: object('Its trace in OpenTelemetry.', {
        traceparent: text('W3C traceparent of the span of the whole release.'),
        parent: text('Id of the span that asked for the change.'),
        admitted: time('When the change was admitted.'),
      }),
    },
    { required: ['rolloutID', 'startTime'] },
  ),
);

const statusOf = (extra: Readonly<Record<string, JsonSchema>>): JsonSchema =>
  object('Where the release is. Written by the operator; who approves writes canaryStatus.currentStepState.', {
    observedGeneration: int64('Generation of the Rollout that this status is about.'),
    phase: text('Initial, Healthy, Progressing, Disabling, Disabled or Terminating.'),
    message: text('What happens next, and what it waits for.'),
    conditions,
    canaryStatus,
    history,
    ...extra,
  });

const root = (spec: JsonSchema, status: JsonSchema): JsonSchema => ({
  description: 'Releases a Deployment step by step.',
  type: 'object',
  required: ['spec'],
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object' },
    spec,
    status,
  },
});

export const rolloutV1beta1 = root(
  specV1beta1,
  statusOf({
    currentStepIndex: int32('The step that runs, from 1.'),
    currentStepState: text('Where the step is.'),
    blueGreenStatus: object('Not written by this version.', {
      ...commonStatus,
      updatedRevision: text('pod-template-hash of the version being released.'),
      updatedReplicas: int32('Pods of the version being released.'),
      updatedReadyReplicas: int32('Of those, available.'),
    }),
  }),
);

export const rolloutV1alpha1 = root(specV1alpha1, statusOf({}));
