// States of releases with checks, and of StatefulSets and DaemonSets.
import type { CheckStatus } from '../../../src/api/analysis.ts';
import { HELD } from '../../../src/api/keys.ts';
import type { DaemonSet, KubeObject, Pod, Rollout } from '../../../src/api/types.ts';
import { digest } from '../../../src/kube/digest.ts';
import { withPoints } from '../../../src/view/dashboard/plots.ts';
import { factsOf, type Facts } from '../../../src/view/facts.ts';
import { ago, NOW, pod, progressing, rollout } from '../support.ts';
import { condition, ENDED, HISTORY, inRelease, OLD, step, type State } from './build.ts';
import { podOf, revision, statefulFacts, statefulSet } from './support.ts';

const CHECKS = {
  strategy: {
    canary: {
      analysis: [
        { name: 'errors', ratio: { bad: 'e', total: 't', limit: '1%', timesStable: 1.5 }, onFailure: 'Rollback' },
        { name: 'memory', pods: { resource: 'memory', timesStable: 2 } },
        { name: 'latency', value: { query: 'q', max: 0.5 } },
        { name: 'smoke', condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete' } },
      ],
      steps: [
        { replicas: 1, analysis: { seconds: 600, minTotal: 500 } },
        { replicas: '50%', analysis: { seconds: 300 } },
        { replicas: '100%' },
      ],
    },
  },
};
const errors = (verdict: CheckStatus['verdict'], evidence: number, more: Partial<CheckStatus> = {}): CheckStatus => ({
  ...{
    name: 'errors',
    verdict,
    since: ago(60),
    total: 480,
    bad: 12,
    stableTotal: 4320,
    stableBad: 3,
    evidence,
    alarm: 200,
  },
  ...more,
});
const MEMORY: CheckStatus = {
  name: 'memory',
  verdict: 'Fine',
  since: ago(120),
  message: 'memory of the new Pods is not shown to be higher',
};
const BLIND: CheckStatus = { name: 'latency', verdict: 'Unknown', since: ago(90), message: 'connection refused' };

const checked = (analysis: readonly CheckStatus[], canary: object, message: string, more: object = {}): Rollout =>
  step({ currentStepIndex: 2, nextStepIndex: 3, canaryReplicas: 2, analysis, ...canary }, message, more, CHECKS);
const twoAndTwo = (of: Rollout): Facts =>
  inRelease(of, [pod('v2', 'web-v2-a'), pod('v2', 'web-v2-b'), ...OLD.slice(0, 2)], [2, 2]);

const watching = checked(
  [errors('Open', 14), MEMORY, BLIND],
  { currentStepState: 'StepMetricsAnalysis' },
  'step 2/3: the checks watch the new Pods until 2026-01-01T01:03:00Z; errors: 480 requests, 12 bad',
);
const worse = checked(
  [errors('Worse', 512), MEMORY],
  {},
  'step 2/3 stopped: check errors shows that the new version is worse',
  condition('Stalled', 'AnalysisFailed'),
);
/** What was seen while the evidence grew. */
const PLOTS = [1, 3, 14].reduce<ReturnType<typeof withPoints>>(
  (plots, evidence, i) => withPoints(plots, checked([errors('Open', evidence)], {}, ''), NOW - (3 - i) * 30_000),
  undefined,
);

export const WITH_CHECKS: Readonly<Record<string, State>> = {
  'checks-watching': [twoAndTwo(watching), { plots: PLOTS }],
  'checks-worse': [twoAndTwo(worse), { plots: PLOTS }],
  'checks-accepted': [
    twoAndTwo(
      checked(
        [errors('Worse', 512, { acceptedBy: ['anna'] }), MEMORY],
        { currentStepState: 'StepUpgrade' },
        'step 2/3: 1 of 2 Pods updated',
      ),
    ),
  ],
  'checks-unread': [
    twoAndTwo(
      checked([], { currentStepState: 'StepMetricsAnalysis' }, 'step 2/3: waiting for check errors (no result yet)'),
    ),
  ],
};

const db = (status: ReturnType<typeof progressing>, spec: object = {}): Rollout =>
  rollout(
    status,
    { workloadRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' }, ...spec },
    { name: 'db', uid: 'u' },
  );
const heldSet = (partition: number): object => ({
  annotations: {
    [HELD]: JSON.stringify({
      v: 1,
      rollout: 'db',
      stable: digest(statefulSet('v1', 4).spec.template),
      user: { partition: 0 },
      partition,
    }),
  },
});

/** A version in the record of completed ones. */

export const STATEFUL: Readonly<Record<string, State>> = {
  'stateful-at-rest': [
    statefulFacts(
      db({ phase: 'Healthy', message: 'waiting for a change of the Pod template', history: ENDED }),
      statefulSet('v1', 3, { labels: {} }),
      [revision('v1', 1)],
      [0, 1, 2].map((i) => podOf('v1', i)),
    ),
  ],
  'stateful-moving': [
    statefulFacts(
      db(
        progressing(
          { currentStepState: 'StepUpgrade', stableRevision: 'db-v1', canaryRevision: 'db-v2', nextStepIndex: 2 },
          { message: 'step 1/3: 0 of 1 Pod updated, waiting for db-3 (CrashLoopBackOff)', history: HISTORY },
        ),
      ),
      statefulSet('v2', 4, heldSet(3), 3),
      [revision('v1', 1), revision('v2', 2)],
      [podOf('v1', 0), podOf('v1', 1), podOf('v1', 2), podOf('v2', 3, 'CrashLoopBackOff')],
    ),
  ],
  'stateful-superseded': [
    statefulFacts(
      db(
        progressing(
          { currentStepState: 'StepUpgrade', stableRevision: 'db-v1', canaryReplicas: 0, nextStepIndex: 2 },
          { message: 'step 1/3: 0 of 1 Pod updated', history: HISTORY },
        ),
      ),
      statefulSet('v3', 4, heldSet(4), 4),
      [revision('v1', 1), revision('v2', 2), revision('v3', 3)],
      [podOf('v1', 0), podOf('v2', 1), podOf('v1', 2), podOf('v2', 3)],
    ),
  ],
  'stateful-waiting': [
    statefulFacts(
      db(
        progressing(
          {
            currentStepIndex: 2,
            nextStepIndex: 3,
            stableRevision: 'db-v1',
            canaryRevision: 'db-v2',
            canaryReplicas: 2,
          },
          { message: 'step 2/3 done: waiting for approval (0 of 1)', history: HISTORY },
        ),
      ),
      statefulSet('v2', 4, heldSet(2), 2),
      [revision('v1', 1), revision('v2', 2)],
      [podOf('v1', 0), podOf('v1', 1), podOf('v2', 2), podOf('v2', 3)],
    ),
  ],
};

/** As a StatefulSet, but for what a DaemonSet has of its own: a Pod per node, counted in fields of its own. */
const daemonFacts = (
  status: ReturnType<typeof progressing>,
  version: string,
  pods: readonly Pod[],
  metadata = {},
): Facts => {
  const asDaemon = { kind: 'DaemonSet', name: 'db', uid: 's', controller: true, apiVersion: 'apps/v1' };
  const owned = <T extends KubeObject>(object: T, labels: object): T => ({
    ...object,
    metadata: { ...object.metadata, ownerReferences: [asDaemon], labels: { ...object.metadata.labels, ...labels } },
  });
  const hashOf = (object: KubeObject): object => ({ 'controller-revision-hash': object.metadata.name.slice(3) });
  const set = statefulSet(version, 1, metadata);
  const workload: DaemonSet = {
    ...set,
    kind: 'DaemonSet',
    spec: { selector: set.spec.selector, template: set.spec.template, updateStrategy: { type: 'OnDelete' } },
    status: { observedGeneration: 2, desiredNumberScheduled: 4, numberReady: 3, numberAvailable: 3 },
  };
  const of = rollout(
    status,
    { workloadRef: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'db' } },
    { name: 'db', uid: 'u' },
  );
  const revisions = [revision('v1', 1), revision('v2', 2)].map((one) => owned(one, hashOf(one)));
  const all = pods.map((one) => ({
    ...owned(one, { 'controller-revision-hash': one.metadata.labels!['controller-revision-hash']!.slice(3) }),
  }));
  const named = all.map((one, i) => ({ ...one, metadata: { ...one.metadata, name: `db-x${i}y` } }));
  return factsOf(of, workload, { replicaSets: [], pods: named, revisions }, { now: NOW, digest });
};

export const DAEMONS: Readonly<Record<string, State>> = {
  'daemon-moving': [
    daemonFacts(
      progressing(
        { currentStepState: 'StepUpgrade', stableRevision: 'v1', canaryRevision: 'v2', nextStepIndex: 2 },
        { message: 'step 1/3: 0 of 1 Pod updated, waiting for db-x0y (CrashLoopBackOff)', history: HISTORY },
      ),
      'v2',
      [podOf('v2', 0, 'CrashLoopBackOff'), podOf('v1', 1), podOf('v1', 2), podOf('v1', 3)],
      heldSet(3),
    ),
  ],
};
