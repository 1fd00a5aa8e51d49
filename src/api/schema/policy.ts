// JSON Schema and CustomResourceDefinition of ReleasePolicy v1alpha1.
import { OWN_GROUP } from '../keys.ts';
import {
  flag,
  int32,
  int64,
  intOrString,
  labelSelector,
  list,
  object,
  text,
  time,
  type JsonSchema,
} from './json-schema.ts';

const MAX_WINDOWS = 50;
const SHARE = '^([1-9][0-9]?|100)%$';
/** A year and a day. */
const MAX_SECONDS = 31_622_400;

const names = (what: string): JsonSchema =>
  list(what, { type: 'string', minLength: 1, maxLength: 253 }, { maxItems: 100 });

const windows = (what: string): JsonSchema =>
  list(
    what,
    object(
      'A window.',
      {
        schedule: text('Start of the window: a cron schedule with five fields, in the time zone of the policy.', {
          minLength: 9,
          maxLength: 256,
        }),
        durationSeconds: int32('Duration of the window in seconds.', {
          minimum: 60,
          maximum: MAX_SECONDS,
        }),
        reason: text('Reason to show in a refusal, e.g. weekend.', { maxLength: 256 }),
      },
      { required: ['schedule', 'durationSeconds'] },
    ),
    { maxItems: MAX_WINDOWS },
  );

const share = (description: string): JsonSchema => intOrString(description, { minimum: 1, pattern: SHARE });

const spec = object('Rules for releases.', {
  match: object(
    "The workloads that the policy applies to, such as Deployments and StatefulSets. Empty selects all, except in kube-system and in Tranche's own namespace.",
    {
      namespaceSelector: labelSelector('namespaces'),
      workloadSelector: labelSelector('workloads'),
    },
  ),
  enforcement: text(
    'Deny refuses a change, Warn accepts it with a warning, Audit accepts it with an event and a metric only. Default Deny.',
    {
      enum: ['Deny', 'Warn', 'Audit'],
    },
  ),
  requireRollout: flag('true: a Pod template can change only through the steps of a Rollout. Default false.'),
  steps: object('Rules for the steps of a Rollout.', {
    maxFirstStep: share('Maximum size of the first step: a number of Pods, or a percentage.'),
    maxIncrement: share('Maximum number of Pods that a step adds: a number of Pods, or a percentage.'),
    minSteps: int32('Minimum number of steps.', { minimum: 1, maximum: 50 }),
    minPauseSeconds: int32(
      'Minimum duration of a timed pause in seconds. A step that waits for approval satisfies this rule.',
      {
        minimum: 0,
        maximum: MAX_SECONDS,
      },
    ),
    manual: text('The steps that must wait for approval. Default None.', {
      enum: ['None', 'First', 'Last', 'FirstAndLast', 'All'],
    }),
  }),
  approval: object('Rules for approvals. Each step waits for approval at its end, also a step with a timed pause.', {
    required: int32('Number of different users who must approve a step. Default 1.', { minimum: 1, maximum: 10 }),
    users: names(
      'Users who may approve. A ServiceAccount, or another user whose name starts with system:, may approve only if it is listed here.',
    ),
    groups: names(
      'Groups whose members may approve. Without users and groups, all users with the verb approve on Rollouts may approve.',
    ),
    notAuthor: flag(
      'true: a user who changed the template, or the plan during the release, may not approve. If such a user is a machine account or unknown, one more approval is required. Default false.',
    ),
    exemptRestarts: flag(
      'true: a restart without other changes needs no approval if the Rollout has the annotation tranche.dev/on-restart: Batches. Default false.',
    ),
  }),
  analysis: object('Rules for the checks of a Rollout.', {
    sources: list(
      'Names of the MetricSources that checks may use. A check without source counts as default. Checks with pods, condition or value.external count as kubernetes.',
      { type: 'string', minLength: 1, maxLength: 253 },
      { minItems: 1, maxItems: 100 },
    ),
    required: list(
      'Kinds of checks. A Rollout must have at least one check of each kind: Ratio, Value, Pods or Condition.',
      { type: 'string', enum: ['Ratio', 'Value', 'Pods', 'Condition'] },
      { minItems: 1, maxItems: 4 },
    ),
    minSeconds: int32(
      'How long the checks must watch each step, in seconds: by analysis.seconds or a timed pause. A step that waits for approval satisfies this rule. A last step that updates all Pods does not count.',
      { minimum: 1, maximum: 604_800 },
    ),
    override: object(
      'The users and groups that may approve a step while a check is Worse. If override is absent, every approver may. If both lists are empty, nobody may.',
      {
        users: names('Users. A ServiceAccount may approve only if it is listed here or in groups.'),
        groups: names('Groups.'),
      },
    ),
  }),
  windows: object('Times at which releases can start and steps can continue.', {
    timeZone: text('IANA name, e.g. Europe/Berlin. Default UTC.', { minLength: 1, maxLength: 64 }),
    deny: windows('Windows in which no release starts and no step continues.'),
    allow: windows('If set, releases start and steps continue only in one of these windows.'),
  }),
  maxConcurrentReleases: int32('Maximum number of releases at the same time in one namespace.', { minimum: 1 }),
  protectInFlight: flag(
    'true: during a release, its Rollout cannot be deleted, disabled or loosened, and its workload cannot be scaled to 0. Default false.',
  ),
  rollbackWindow: object(
    'Limits of rollbackWindow, with which a Rollout goes back to a completed version without steps.',
    {
      maxRevisions: int32('Maximum of revisions. 0 forbids rollbackWindow.', { minimum: 0, maximum: 10 }),
      maxSeconds: int32('Maximum of seconds. 0 forbids rollbackWindow.', { minimum: 0, maximum: MAX_SECONDS }),
    },
  ),
  breakGlass: object(
    'Groups whose members are exempt from this policy if the change has the annotation tranche.dev/break-glass: "<reason>".',
    { groups: names('The groups.') },
    { required: ['groups'] },
  ),
});

const status = object('Status of the policy. The operator writes it.', {
  observedGeneration: int64('Generation of the policy that this status describes.'),
  matchedDeployments: int32('Number of workloads with a Rollout that this policy matches, of all kinds.'),
  matchedRollouts: int32('Number of Rollouts of these workloads.'),
  refusals: list(
    'The last refusals, newest first.',
    object('A refusal.', {
      time: time('Time of the refusal.'),
      object: text('The object of the change.'),
      rule: text('The violated rule.'),
      user: text('The user.'),
      message: text('Message to the user.'),
    }),
  ),
});

export const releasePolicy: JsonSchema = {
  description: 'A ReleasePolicy contains rules for the releases of workloads.',
  type: 'object',
  required: ['spec'],
  properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, spec, status },
};

export const POLICY_CRD_NAME = `releasepolicies.${OWN_GROUP}`;

export const policyCrdSpec = {
  group: OWN_GROUP,
  scope: 'Cluster',
  names: { kind: 'ReleasePolicy', listKind: 'ReleasePolicyList', plural: 'releasepolicies', singular: 'releasepolicy' },
  versions: [
    {
      name: 'v1alpha1',
      served: true,
      storage: true,
      additionalPrinterColumns: [
        { name: 'ENFORCEMENT', type: 'string', jsonPath: '.spec.enforcement' },
        { name: 'WORKLOADS', type: 'integer', jsonPath: '.status.matchedDeployments' },
        { name: 'LAST_REFUSAL', type: 'date', jsonPath: '.status.refusals[0].time' },
        { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
      schema: { openAPIV3Schema: releasePolicy },
      subresources: { status: {} },
    },
  ],
};
