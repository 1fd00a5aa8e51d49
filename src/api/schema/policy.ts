// JSON Schema of ReleasePolicy v1alpha1 and its CustomResourceDefinition.
import { OWN_GROUP } from '../keys.ts';
import {
  flag,
  int32,
  int64,
  intOrString,
  list,
  object,
  stringMap,
  text,
  time,
  type JsonSchema,
} from './json-schema.ts';

const MAX_WINDOWS = 50;
const SHARE = '^([1-9][0-9]?|100)%$';
/** A year and a day. */
const MAX_SECONDS = 31_622_400;

const selector = (what: string): JsonSchema =>
  object(`Label selector of ${what}; empty selects all.`, {
    matchLabels: stringMap('The object has each of these labels.'),
    matchExpressions: list(
      'Each must hold.',
      object(
        'A condition on one label.',
        {
          key: text('The label.', { minLength: 1, maxLength: 317 }),
          operator: text('How the label is compared with the values.', {
            enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'],
          }),
          values: list('For In and NotIn.', { type: 'string' }, { maxItems: 100 }),
        },
        { required: ['key', 'operator'] },
      ),
      { maxItems: 50 },
    ),
  });

const names = (what: string): JsonSchema =>
  list(what, { type: 'string', minLength: 1, maxLength: 253 }, { maxItems: 100 });

const windows = (what: string): JsonSchema =>
  list(
    what,
    object(
      'A window.',
      {
        schedule: text('When it opens: five fields of cron, in the time zone of the policy.', {
          minLength: 9,
          maxLength: 256,
        }),
        durationSeconds: int32('How long it stays open, in seconds of real time.', {
          minimum: 60,
          maximum: MAX_SECONDS,
        }),
        reason: text('What the refusal says, e.g. weekend.', { maxLength: 256 }),
      },
      { required: ['schedule', 'durationSeconds'] },
    ),
    { maxItems: MAX_WINDOWS },
  );

const share = (description: string): JsonSchema => intOrString(description, { minimum: 1, pattern: SHARE });

const spec = object('What releases must be like.', {
  match: object('Which Deployments; empty: every one outside kube-system and our own namespace.', {
    namespaceSelector: selector('namespaces'),
    workloadSelector: selector('Deployments'),
  }),
  enforcement: text('Deny refuses, Warn warns, Audit only tells by event and metric. Default Deny.', {
    enum: ['Deny', 'Warn', 'Audit'],
  }),
  requireRollout: flag('true: a template may change only in the steps of a Rollout. Default false.'),
  steps: object('What the steps of a Rollout must be like.', {
    maxFirstStep: share('The first step releases at most so many Pods (integer, or percent).'),
    maxIncrement: share('No step releases more than so many Pods at once (integer, or percent).'),
    minSteps: int32('At least so many steps.', { minimum: 1, maximum: 50 }),
    minPauseSeconds: int32('Every timed pause lasts at least so long; waiting for approval satisfies it.', {
      minimum: 0,
      maximum: MAX_SECONDS,
    }),
    manual: text('These steps wait for approval. Default None.', {
      enum: ['None', 'First', 'Last', 'FirstAndLast', 'All'],
    }),
  }),
  approval: object('Who approves a step. Every step waits for approval at its end, timed pauses included.', {
    required: int32('So many different people per step. Default 1.', { minimum: 1, maximum: 10 }),
    users: names(
      'These users may. A ServiceAccount, or another user whose name begins with system:, counts only when it is named.',
    ),
    groups: names('Members of these groups may. Without users and groups: whoever has the verb approve on Rollouts.'),
    notAuthor: flag(
      'true: not who changed the template, or the plan in the middle of the release. For each of these that is a machine account or unknown, one more approval is required. Default false.',
    ),
    exemptRestarts: flag(
      'true: a mere restart needs no approval where the Rollout is annotated tranche.dev/on-restart: Batches. Default false.',
    ),
  }),
  windows: object('When releases start, and steps go on.', {
    timeZone: text('IANA name, e.g. Europe/Berlin. Default UTC.', { minLength: 1, maxLength: 64 }),
    deny: windows('Nothing starts inside one of these.'),
    allow: windows('When there are any, things start only inside one of these.'),
  }),
  maxConcurrentReleases: int32('At most so many releases at the same time in one namespace.', { minimum: 1 }),
  protectInFlight: flag(
    'true: during a release its Rollout may not be deleted, disabled or loosened, nor the Deployment scaled to 0. Default false.',
  ),
  breakGlass: object(
    'Who may go past this policy, with the annotation tranche.dev/break-glass: "<reason>" on the change.',
    { groups: names('Members of these groups.') },
    { required: ['groups'] },
  ),
});

const status = object('Written by the operator.', {
  observedGeneration: int64('Generation that this status is about.'),
  matchedDeployments: int32('Deployments that this policy matches, among those that a Rollout names.'),
  matchedRollouts: int32('Their Rollouts.'),
  refusals: list(
    'The last refusals, newest first.',
    object('A refusal.', {
      time: time('When.'),
      object: text('What was to be changed.'),
      rule: text('Which rule.'),
      user: text('By whom.'),
      message: text('What was said.'),
    }),
  ),
});

export const releasePolicy: JsonSchema = {
  description: 'What the releases of matched Deployments must be like.',
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
        { name: 'DEPLOYMENTS', type: 'integer', jsonPath: '.status.matchedDeployments' },
        { name: 'LAST_REFUSAL', type: 'date', jsonPath: '.status.refusals[0].time' },
        { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
      ],
      schema: { openAPIV3Schema: releasePolicy },
      subresources: { status: {} },
    },
  ],
};
