// States of the release of a Deployment.
import type { ReleasePolicy } from '../../../src/api/policy.ts';
import { digest } from '../../../src/kube/digest.ts';
import { factsWithout } from '../../../src/view/facts.ts';
import { ago, deployment, facts, pod, replicaSet, rollout } from '../support.ts';
import {
  atRest,
  condition,
  ENDED,
  entry,
  FOUR,
  held,
  idle,
  inRelease,
  OLD,
  readyFor,
  SETS,
  step,
  WAITS,
  type State,
} from './build.ts';

const policy = (name: string, spec: ReleasePolicy['spec']): ReleasePolicy => ({ metadata: { name }, spec });
const FOUR_EYES = policy('four-eyes', { approval: { required: 2, groups: ['release-managers'], notAuthor: true } });
const HOURS = policy('office-hours', {
  windows: { deny: [{ schedule: '0 0 * * *', durationSeconds: 28_800, reason: 'the night' }] },
  maxConcurrentReleases: 3,
});
const LOOSE = policy('advice', { enforcement: 'Warn', steps: { minSteps: 4 } });

const COMPLETED = (version: string): object => ({
  workload: 'Deployment/web',
  templateDigest: digest(deployment(version).spec.template),
  revision: version,
});

export const AT_REST: Readonly<Record<string, State>> = {
  'at-rest': [atRest(idle(ENDED))],
  'at-rest-first': [facts(idle([]), deployment('v1', { labels: {} }), [replicaSet('v1', 4, 1)], FOUR)],
  'rolled-back': [atRest(idle(ENDED.slice(1), condition('Succeeded', 'x')))],
  history: [
    atRest(
      idle([
        entry({
          ...{ rolloutID: 'r2', revision: 'v1', startTime: ago(900), endTime: ago(300), outcome: 'Completed' },
          approvals: [
            { step: 1, rolloutID: 'r2', revision: 'v1', user: 'anna', time: ago(700) },
            { step: 0, rolloutID: 'r2', revision: 'v1', user: 'ben', time: ago(600) },
          ],
          brokenGlass: [{ user: 'eve', reason: 'outage 7\nin two lines', time: ago(800) }],
          analysis: { errors: 'Fine', memory: 'Unknown' },
          bypassed: 'kubectl set image',
        }),
        ...ENDED,
        entry({
          rolloutID: 'p',
          revision: 'v8',
          startTime: ago(290_000),
          endTime: ago(289_000),
          outcome: 'Superseded',
        }),
        entry({ rolloutID: 'o', revision: 'v7', startTime: ago(390_000), endTime: ago(389_000), outcome: 'Completed' }),
      ]),
    ),
  ],
  'undo-window': [
    atRest(
      idle(
        ENDED,
        {
          canaryStatus: { stableDigest: digest(deployment('v1').spec.template) },
          completedVersions: [
            { ...COMPLETED('v1'), completedTime: ago(89_400) },
            { ...COMPLETED('v0'), completedTime: ago(200_000), replacedTime: ago(60) },
          ],
        },
        {
          strategy: { canary: { ...rollout().spec.strategy.canary, rollbackWindow: { revisions: 1, seconds: 3600 } } },
        },
      ),
    ),
  ],
  disabled: [
    atRest(rollout({ phase: 'Disabled', message: 'Rollout is disabled' }, { ...idle([]).spec, disabled: true })),
  ],
  deleting: [atRest(idle([], {}, {}, { deletionTimestamp: ago(5) }))],
  'no-status': [atRest(rollout())],
  'no-workload': [
    factsWithout(
      rollout({
        phase: 'Initial',
        message: 'Deployment "web" does not exist: waiting for it',
        ...condition('Stalled', 'WorkloadNotFound'),
      }),
    ),
  ],
  starting: [facts(idle(ENDED), deployment('v2', held()), [replicaSet('v1', 4, 1)], FOUR)],
};

export const IN_STEPS: Readonly<Record<string, State>> = {
  moving: [
    inRelease(
      step(
        { currentStepState: 'StepUpgrade', currentStepIndex: 2, nextStepIndex: 3, canaryReplicas: 2 },
        'step 2/3: 1 of 2 Pods updated, waiting for web-v2-b (CrashLoopBackOff)',
      ),
      [
        pod('v2', 'web-v2-b', { waits: 'CrashLoopBackOff' }),
        readyFor(4, 'v2', 'web-v2-a'),
        ...OLD,
        pod('v1', 'web-v1-gone', { deleted: true }),
      ],
      [2, 3],
    ),
  ],
  'moving-missing': [
    inRelease(
      step({ currentStepState: 'StepUpgrade' }, 'step 1/3: 0 of 1 Pod updated, waiting for ReplicaSet web-v2'),
      OLD,
    ),
  ],
  waiting: [inRelease(step({}, WAITS), [pod('v2', 'web-v2-a'), ...OLD])],
  'waiting-one-of-two': [
    inRelease(
      step(
        {
          approvals: [
            { step: 1, rolloutID: 'r1', revision: 'v2', user: 'anna', time: ago(30), groups: ['release-managers'] },
          ],
        },
        'step 1/3 done: waiting for approval (1 of 2)',
      ),
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
    { policies: [FOUR_EYES, LOOSE] },
  ],
  'waiting-policies-unknown': [
    inRelease(step({}, WAITS), [pod('v2', 'web-v2-a'), ...OLD]),
    { policies: undefined, gaps: ['you may not list releasepolicies'] },
  ],
  'waiting-time': [
    inRelease(
      step(
        {},
        'step 1/3 done: continuing at 2026-01-01T01:09:00Z (pause of 600 s)',
        {},
        {
          strategy: {
            canary: { steps: [{ replicas: 1, pause: { duration: 600 } }, { replicas: '50%' }, { replicas: '100%' }] },
          },
        },
      ),
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
  ],
  approved: [inRelease(step({ currentStepState: 'StepReady' }, 'step 1/3 done'), [pod('v2', 'web-v2-a'), ...OLD])],
  blocked: [
    inRelease(
      step(
        { currentStepState: 'StepReady' },
        'step 1/3 waits: policy office-hours is closed until 2026-01-01T08:00:00Z (the night)',
        condition(
          'PolicyBlocked',
          'WindowClosed',
          'policy office-hours is closed until 2026-01-01T08:00:00Z (the night)',
        ),
      ),
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
    { policies: [HOURS, LOOSE] },
  ],
  paused: [
    inRelease(
      step({}, 'paused', condition('Progressing', 'Paused'), {
        strategy: { ...rollout().spec.strategy, paused: true },
      }),
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
  ],
  'paused-workload': [
    facts(
      step({}, 'the Deployment is paused', condition('Progressing', 'Paused')),
      deployment('v2', held(true)),
      SETS(1, 3),
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
  ],
  stalled: [
    inRelease(
      step(
        { currentStepState: 'StepUpgrade' },
        'step 1/3 stalled: web-v2-a (ImagePullBackOff); no further Pod is replaced until they are available',
        condition('Stalled', 'PodsFailing'),
      ),
      [pod('v2', 'web-v2-a', { waits: 'ImagePullBackOff' }), ...OLD],
    ),
  ],
  finishing: [
    inRelease(
      step(
        { currentStepIndex: 3, nextStepIndex: -1, currentStepState: 'Completed', canaryReplicas: 4 },
        'finishing natively: 3 of 4 Pods updated',
        condition('Progressing', 'Finalising'),
      ),
      [...['a', 'b', 'c'].map((name) => pod('v2', `web-v2-${name}`)), OLD[0]!],
      [4, 1],
    ),
  ],
  'rolling-back': [
    facts(
      step({}, 'rolling back natively: 3 of 4 Pods updated', condition('Progressing', 'Cancelling')),
      deployment('v1', held()),
      SETS(1, 3),
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
  ],
  superseded: [
    facts(
      step({ currentStepState: 'StepUpgrade' }, 'step 1/3: 0 of 1 Pod updated'),
      deployment('v3', held()),
      [replicaSet('v3', 0, 3), ...SETS(1, 3)],
      [pod('v2', 'web-v2-a'), ...OLD],
    ),
  ],
};
