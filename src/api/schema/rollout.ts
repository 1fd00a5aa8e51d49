// JSON Schemas of Rollout v1beta1 and v1alpha1, for the CRD (make generate) and for validation at admission (ajv).
import { API_VERSION, KIND_NAME, OPTIONAL_SUBDOMAIN_NAME, SUBDOMAIN_NAME } from '../names.ts';
import { analysis, analysisStatus, stepAnalysis, stepStarts, verdicts } from './analysis.ts';
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
  trafficStatus,
} from './traffic.ts';

const MAX_STEPS = 50;
const PERCENT = '^([1-9][0-9]?|100)%$';

const workloadRef = object(
  'The workload to release, in the same namespace: a Deployment, StatefulSet or DaemonSet (apps/v1), or a CloneSet, StatefulSet or DaemonSet of OpenKruise (apps.kruise.io).',
  {
    apiVersion: nameText('API version, e.g. apps/v1.', API_VERSION),
    kind: nameText('Kind, e.g. Deployment.', KIND_NAME),
    name: nameText('Name.', SUBDOMAIN_NAME),
  },
  { required: ['apiVersion', 'kind', 'name'] },
);

const stepReplicas = intOrString(
  'How many Pods run the new version after this step: a number of Pods, or a percentage of spec.replicas such as "50%", rounded up.',
  { minimum: 1, pattern: PERCENT },
);

const pause = object('What the step waits for when its Pods are available.', {
  duration: int32(
    'Seconds to wait, at most 31536000 (a year). 0 continues immediately. Without a duration, the step waits for approval.',
    {
      minimum: 0,
    },
  ),
});

const failureThreshold = intOrString(
  "How many of a step's Pods may be unavailable when the step completes: a number, or a percentage rounded up. Default 0.",
  { minimum: 0, pattern: '^([1-9]?[0-9]|100)%$' },
);

/**
 * A table for percentages. Kubernetes estimates the cost of a CEL rule for the longest possible string, so any string function, such as
 * `string()` or `replace()`, exceeds the cost limit of a rule more than a hundred times.
 */
const percentTable = `{${Array.from({ length: 100 }, (_, i) => `"${i + 1}%": ${i + 1}`).join(', ')}}`;

const ordered: readonly CelRule[] = [
  {
    rule: 'self.filter(s, has(s.replicas) && type(s.replicas) == int).map(s, int(s.replicas)).isSorted()',
    message: 'replicas of a step must not be less than replicas of an earlier step',
  },
  {
    rule: `self.filter(s, has(s.replicas) && type(s.replicas) == string).map(s, ${percentTable}[s.replicas]).isSorted()`,
    message: 'the percentage of a step must not be less than the percentage of an earlier step',
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
    traffic: text(
      'Share of the requests for the new version, "0%" to "100%". Requires trafficRoutings; otherwise it has no effect.',
      { maxLength: 16 },
    ),
    matches: matchesV1beta1,
    requestHeaderModifier,
    pause,
    analysis: stepAnalysis,
  },
  { required: ['replicas'] },
);

const stepV1alpha1 = object('A step.', {
  replicas: stepReplicas,
  weight: int32(
    'Share of the requests for the new version in percent. Without replicas, it is also the share of Pods. Without trafficRoutings, it has no other effect.',
  ),
  matches: matchesV1alpha1,
  requestHeaderModifier,
  pause,
  analysis: stepAnalysis,
});

/** Fields of Tranche that OpenKruise does not have. */
const failurePolicy = {
  stepDeadlineSeconds: int32(
    'Seconds in which the Pods of a step must become available, in addition to minReadySeconds; at most 31536000 (a year). 0 = no deadline. Default 600.',
    {
      minimum: 0,
    },
  ),
  onFailure: text(
    'What happens when a step misses its deadline, or its Pods fail or cannot be created: Hold stops the release, Rollback restores the stable version. Default Hold.',
    { enum: ['Hold', 'Rollback'] },
  ),
};

const rollbackWindow = object(
  'A change back to a completed version within these limits is rolled out immediately, without steps. Without rollbackWindow, it goes through the steps.',
  {
    revisions: int32('How many completed versions before the stable one, 1 to 10.', { minimum: 1, maximum: 10 }),
    seconds: int32('How long ago the version was replaced, in seconds, at most 31536000 (a year).', { minimum: 1 }),
  },
  {
    'x-kubernetes-validations': [
      { rule: 'has(self.revisions) || has(self.seconds)', message: 'revisions or seconds is required' },
    ],
  },
);

/** Without checks, a step with analysis waits for nothing. */
const analysed = {
  'x-kubernetes-validations': [
    {
      rule: '!self.steps.exists(s, has(s.analysis)) || (has(self.analysis) && size(self.analysis) > 0)',
      message: 'a step with analysis requires at least one check in analysis',
    },
  ],
} as const;

const trafficFields = { trafficRoutings, disableGenerateCanaryService };

const canaryV1beta1 = object(
  'The release updates Pods in batches.',
  {
    steps: steps(stepV1beta1),
    failureThreshold,
    ...failurePolicy,
    rollbackWindow,
    analysis,
    ...trafficFields,
    trafficRoutingRef: nameText(
      'Name of a TrafficRouting in the same namespace: it changes headers of some requests of its route during releases.',
      OPTIONAL_SUBDOMAIN_NAME,
    ),
    enableExtraWorkloadForCanary: flag('true: an extra Deployment runs the canary Pods. Refused: not supported yet.'),
    patchPodTemplateMetadata,
  },
  { required: ['steps'], ...analysed },
);

const blueGreen = object('A blue-green release. Refused: not supported yet.', {
  steps: list('Steps.', stepV1beta1, { maxItems: MAX_STEPS }),
  failureThreshold,
  ...trafficFields,
  trafficRoutingRef: nameText('Name of a TrafficRouting.', OPTIONAL_SUBDOMAIN_NAME),
});

const specV1beta1 = object(
  'The workload to release, and the steps.',
  {
    workloadRef,
    disabled: flag(
      'true: changes of the workload are rolled out without steps, and a release in progress is finished without steps. Default false.',
    ),
    strategy: object(
      'How to release the workload.',
      {
        paused: flag('true: the release is paused until this is false again. Default false.'),
        canary: canaryV1beta1,
        blueGreen,
      },
      {
        'x-kubernetes-validations': [
          {
            rule: 'has(self.canary) != has(self.blueGreen)',
            message: 'exactly one strategy is required: write canary',
          },
        ],
      },
    ),
  },
  { required: ['workloadRef', 'strategy'] },
);

const specV1alpha1 = object(
  'The workload to release, and the steps.',
  {
    objectRef: object('The workload to release.', { workloadRef }, { required: ['workloadRef'] }),
    rolloutID: text('Ignored. Use the label rollouts.kruise.io/rollout-id on the workload instead.', {
      maxLength: 253,
    }),
    disabled: flag(
      'true: changes of the workload are rolled out without steps, and a release in progress is finished without steps. Default false.',
    ),
    strategy: object(
      'How to release the workload.',
      {
        paused: flag('true: the release is paused until this is false again. Default false.'),
        canary: object(
          'The release updates Pods in batches.',
          {
            steps: steps(stepV1alpha1, [
              {
                rule: 'self.all(s, has(s.replicas) || has(s.weight))',
                message: 'replicas is required for every step',
              },
            ]),
            failureThreshold,
            ...failurePolicy,
            rollbackWindow,
            analysis,
            ...trafficFields,
            patchPodTemplateMetadata,
          },
          { required: ['steps'], ...analysed },
        ),
      },
      { required: ['canary'] },
    ),
  },
  { required: ['objectRef', 'strategy'] },
);

const approvals = list(
  'The approvals of the steps of this release.',
  object(
    'An approval.',
    {
      step: int32('Number of the step, from 1.'),
      rolloutID: text('Id of the release.'),
      revision: text('pod-template-hash of the new version.'),
      user: text('The user who approved.'),
      time: time('Time of the approval.'),
      plan: text('Digest of the approved plan.'),
      groups: list("The user's groups that a policy names.", text('A group.')),
      past: list('Policies that did not apply because the user overrode them.', text('A policy.')),
    },
    { required: ['step', 'user', 'time'] },
  ),
);

const commonStatus = {
  observedWorkloadGeneration: int64('Generation of the workload that this status describes.'),
  observedRolloutID: text('Id of the release that this status describes.'),
  rolloutHash: text('Digest of the steps.'),
  stableRevision: text('pod-template-hash of the stable version.'),
  podTemplateHash: text('pod-template-hash of the new version.'),
  currentStepIndex: int32('Number of the current step, from 1.'),
  nextStepIndex: int32('Number of the next step. -1 = none.'),
  currentStepState: text('State of the current step. In StepPaused it waits; write StepReady to approve it.'),
  finalisingStep: text('State of the end of the release.'),
  message: text('What happens now.'),
  lastUpdateTime: time('Time of the last change of the step.'),
};

const canaryStatus = object('The current release, or the last one.', {
  ...commonStatus,
  canaryRevision: text('pod-template-hash of the new version.'),
  canaryReplicas: int32('Number of Pods of the new version.'),
  canaryReadyReplicas: int32('Number of available Pods of the new version.'),
  approvals,
  templateDigest: text('sha256 of the template that this status describes.'),
  stableDigest: text('sha256 of the stable template.'),
  keepsReplicas: flag('true: the step started with more updated Pods than its target, and they are kept.'),
  plan: list('replicas of each step when this status was written.', intOrString('Replicas of a step.')),
  planChanged: flag(
    'true: the number of steps changed during the release, and the step waits for approval regardless of its pause.',
  ),
  notBegun: flag('true: the step starts when it is approved.'),
  releasedRolloutID: text('Id of the last release, if another id was set on the workload after its end.'),
  grantedReplicas: intOrString('Under a policy that requires approvals: replicas of the step when it started.', {}),
  stepReplicas: int32('spec.replicas of the workload when the step started, updated when the step completes.'),
  undoTo: text(
    'Write the templateDigest of a completed version to approve that it is restored without steps. It is recorded in approvals.',
  ),
  analysis: analysisStatus,
  traffic: trafficStatus,
  restores: text('Why an earlier version is being restored without steps: Window (rollbackWindow) or Approval.'),
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
      lastUpdateTime: time('Time of the last update.'),
      lastTransitionTime: time('Time of the last change of status.'),
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
      author: text('The user who changed the workload.'),
      startTime: time('Start of the release.'),
      endTime: time('End of the release.'),
      outcome: text('Result of the release.'),
      approvals,
      bypassed: text('How Pods were updated without the steps.'),
      brokenGlass: list(
        'Exceptions from policies.',
        object('An exception.', { user: text('The user.'), reason: text('The reason.'), time: time('The time.') }),
      ),
      trace: object('OpenTelemetry trace of the release.', {
        traceparent: text('W3C traceparent of the root span.'),
        parent: text('Id of the parent span, from the requester of the change.'),
        admitted: time('Time of the admission of the change.'),
      }),
      steps: stepStarts,
      analysis: verdicts,
    },
    { required: ['rolloutID', 'startTime'] },
  ),
);

const completedVersions = list(
  'The versions that a change can go back to without steps, within rollbackWindow or with an approval. The last stable one is first.',
  object(
    'A version whose release went through all steps, or that ran when the Rollout was created.',
    {
      workload: text(
        'Kind and name of the workload that completed it, such as Deployment/web. It counts for no other workload.',
      ),
      templateDigest: text('sha256 of the template.'),
      revision: text('pod-template-hash.'),
      completedTime: time('End of its release.'),
      replacedTime: time('When another version became the stable one.'),
    },
    { required: ['workload', 'templateDigest', 'completedTime'] },
  ),
);

const statusOf = (extra: Readonly<Record<string, JsonSchema>>): JsonSchema =>
  object('State of the release. The operator writes it. To approve, write canaryStatus.currentStepState.', {
    observedGeneration: int64('Generation of the Rollout that this status describes.'),
    phase: text('Initial, Healthy, Progressing, Disabling, Disabled or Terminating.'),
    message: text('What happens now, and what the release waits for.'),
    conditions,
    canaryStatus,
    history,
    completedVersions,
    ...extra,
  });

const root = (spec: JsonSchema, status: JsonSchema): JsonSchema => ({
  description: 'A Rollout releases a Deployment or another workload step by step.',
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
    currentStepIndex: int32('Number of the current step, from 1.'),
    currentStepState: text('State of the current step.'),
    blueGreenStatus: object('Not used in this version.', {
      ...commonStatus,
      updatedRevision: text('pod-template-hash of the new version.'),
      updatedReplicas: int32('Number of Pods of the new version.'),
      updatedReadyReplicas: int32('Number of available Pods of the new version.'),
    }),
  }),
);

export const rolloutV1alpha1 = root(specV1alpha1, statusOf({}));
