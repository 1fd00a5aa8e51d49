// Revisions, conditions and template identity: the deployment controller's smaller decisions.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { newAnnotations, planCleanup } from '../../src/controllers/deployment/revision.ts';
import {
  countStatus,
  nextDeadlineCheckMs,
  rolloutStatus,
  type DeploymentStatus,
} from '../../src/controllers/deployment/status.ts';
import { findNewReplicaSet, sameTemplate, templateHash } from '../../src/controllers/deployment/template.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { aDeployment, aReplicaSet, template } from './support.ts';

const NOW = Date.UTC(2026, 0, 1, 0, 10);
const REVISION = 'deployment.kubernetes.io/revision';

describe('deployment controller: revisions', () => {
  it('numbers a new ReplicaSet one above the highest old one', () => {
    const old = [aReplicaSet({ revision: 4 }), aReplicaSet({ revision: 2 })];
    assert.equal(newAnnotations(aDeployment(), old, undefined)[REVISION], '5');
  });

  it('copies the Deployment’s annotations but for kubectl’s and its own', () => {
    const annotations = { team: 'a', 'kubectl.kubernetes.io/last-applied-configuration': '{}', [REVISION]: '9' };
    assert.deepEqual(newAnnotations(aDeployment({ annotations }), [], undefined), { team: 'a', [REVISION]: '1' });
  });

  it('keeps the numbers a ReplicaSet had when it becomes the newest again', () => {
    const back = newAnnotations(aDeployment(), [aReplicaSet({ revision: 2 })], { [REVISION]: '1' });
    assert.equal(back[REVISION], '3');
    assert.equal(back['deployment.kubernetes.io/revision-history'], '1');
    const again = newAnnotations(aDeployment(), [aReplicaSet({ revision: 6 })], back);
    assert.equal(again['deployment.kubernetes.io/revision-history'], '1,3');
  });

  it('answers with the same annotations when nothing changes', () => {
    const annotations = { [REVISION]: '3' };
    assert.equal(newAnnotations(aDeployment(), [aReplicaSet({ revision: 2 })], annotations), annotations);
  });

  it('drops the oldest numbers of a history that gets too long', () => {
    const history = Array.from({ length: 400 }, (_, i) => String(1000 + i)).join(',');
    const next = newAnnotations(aDeployment(), [aReplicaSet({ revision: 2000 })], {
      [REVISION]: '1999',
      'deployment.kubernetes.io/revision-history': history,
    })['deployment.kubernetes.io/revision-history']!;
    assert.ok(next.length <= 2000);
    assert.ok(next.startsWith('1001,') && next.endsWith(',1999'));
  });

  it('cleans up unused ReplicaSets beyond the limit, lowest revision first', () => {
    const old = [
      aReplicaSet({ name: 'c', revision: 3 }),
      aReplicaSet({ name: 'a', revision: 1 }),
      aReplicaSet({ name: 'b', revision: 2 }),
    ];
    const doomed = planCleanup(aDeployment({ revisionHistoryLimit: 1 }), old);
    assert.deepEqual(
      doomed.map(({ metadata }) => metadata.name),
      ['a', 'b'],
    );
  });

  it('leaves a ReplicaSet that still has Pods, even if it is beyond the limit', () => {
    const old = [aReplicaSet({ name: 'a', revision: 1, actual: 1 }), aReplicaSet({ name: 'b', revision: 2 })];
    assert.deepEqual(planCleanup(aDeployment({ revisionHistoryLimit: 1 }), old), []);
  });
});

describe('deployment controller: status', () => {
  const conditionsOf = (status: DeploymentStatus): string[] =>
    (status.conditions ?? []).map(({ type, status: value, reason }) => `${type}=${value} ${reason}`);
  const at = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');
  const progressing = (status: string, reason: string, ageSeconds: number): object => ({
    type: 'Progressing',
    status,
    reason,
    lastUpdateTime: at(ageSeconds),
    lastTransitionTime: at(ageSeconds),
  });
  const half = aReplicaSet({ name: 'new', replicas: 5, available: 3 });

  it('counts what ReplicaSets report, and leaves zeros out', () => {
    const status = countStatus(aDeployment(), [aReplicaSet({ replicas: 4, available: 4 }), half], half, NOW);
    const { conditions: _, ...counts } = status;
    assert.deepEqual(counts, {
      observedGeneration: 1,
      replicas: 9,
      updatedReplicas: 5,
      availableReplicas: 7,
      unavailableReplicas: 2,
      terminatingReplicas: 0,
    });
  });

  it('is not available below R - maxUnavailable', () => {
    const deployment = aDeployment({ maxUnavailable: 2 });
    const status = (available: number): DeploymentStatus =>
      countStatus(deployment, [aReplicaSet({ replicas: 10, available })], undefined, NOW);
    assert.deepEqual(conditionsOf(status(8)), ['Available=True MinimumReplicasAvailable']);
    assert.deepEqual(conditionsOf(status(7)), ['Available=False MinimumReplicasUnavailable']);
  });

  it('has no progress to report without a deadline', () => {
    const deployment = aDeployment({
      progressDeadlineSeconds: 2147483647,
      status: { conditions: [progressing('True', 'ReplicaSetUpdated', 5)] },
    });
    assert.deepEqual(conditionsOf(rolloutStatus(deployment, [half], half, NOW)), [
      'Available=False MinimumReplicasUnavailable',
    ]);
  });

  it('renews the time of progress whenever there is some, and keeps the time of transition', () => {
    const deployment = aDeployment({ status: { conditions: [progressing('True', 'ReplicaSetUpdated', 50)] } });
    const renewed = rolloutStatus(deployment, [half], half, NOW).conditions!.find(
      ({ type }) => type === 'Progressing',
    )!;
    assert.deepEqual([renewed.lastUpdateTime, renewed.lastTransitionTime], [at(0), at(50)]);
  });

  it('is over when every Pod is new and available', () => {
    const whole = aReplicaSet({ name: 'new', replicas: 10, available: 10 });
    const deployment = aDeployment({ status: { conditions: [progressing('True', 'ReplicaSetUpdated', 50)] } });
    const status = rolloutStatus(deployment, [whole], whole, NOW);
    assert.deepEqual(
      status.conditions!.find(({ type }) => type === 'Progressing')!.message,
      'ReplicaSet "new" has successfully progressed.',
    );
  });

  const stuck = { replicas: 5, updatedReplicas: 5, availableReplicas: 3, unavailableReplicas: 2 };

  it('times out when the deadline has passed without progress', () => {
    const status = (ageSeconds: number): DeploymentStatus =>
      rolloutStatus(
        aDeployment({
          progressDeadlineSeconds: 60,
          status: { ...stuck, conditions: [progressing('True', 'ReplicaSetUpdated', ageSeconds)] },
        }),
        [half],
        half,
        NOW,
      );
    assert.ok(conditionsOf(status(61)).includes('Progressing=False ProgressDeadlineExceeded'));
    assert.ok(conditionsOf(status(59)).includes('Progressing=True ReplicaSetUpdated'));
  });

  it('looks again a second after the deadline, and not at all when it has timed out', () => {
    const waitMs = (reason: string): number | undefined => {
      const conditions = [progressing('True', reason, 10)];
      const deployment = aDeployment({ progressDeadlineSeconds: 60, status: { ...stuck, conditions } });
      return nextDeadlineCheckMs(deployment, deployment.status as DeploymentStatus, NOW);
    };
    assert.equal(waitMs('ReplicaSetUpdated'), 51_000);
    assert.equal(waitMs('ProgressDeadlineExceeded'), undefined);
  });

  it('passes on that Pods could not be created', () => {
    const failing = aReplicaSet({ name: 'new', replicas: 5 });
    failing.status.conditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }];
    const status = rolloutStatus(aDeployment(), [failing], failing, NOW);
    assert.ok(conditionsOf(status).includes('ReplicaFailure=True FailedCreate'));
    const healed = rolloutStatus(aDeployment({ status }), [half], half, NOW);
    assert.ok(!conditionsOf(healed).some((each) => each.startsWith('ReplicaFailure')));
  });
});

describe('deployment controller: template identity', () => {
  const withHash = template('web:1', { 'pod-template-hash': 'abc', app: 'web' });

  it('leaves pod-template-hash and the order of keys aside', () => {
    const spec = {
      containers: [{ image: 'web:1', name: 'web' }],
      terminationGracePeriodSeconds: 30,
      restartPolicy: 'Always',
    };
    assert.ok(sameTemplate(withHash, { spec, metadata: { labels: { app: 'web' } } }));
  });

  it('takes null, empty lists and empty maps for absent, but not an empty volume source', () => {
    const base = template('web:1') as { metadata: object; spec: object };
    assert.ok(
      sameTemplate(base, {
        ...base,
        metadata: { ...base.metadata, annotations: {}, creationTimestamp: null },
        spec: { ...base.spec, volumes: [] },
      }),
    );
    const volume = (source: object): object => ({
      ...base,
      spec: { ...base.spec, volumes: [{ name: 'v', ...source }] },
    });
    assert.ok(!sameTemplate(volume({}), volume({ emptyDir: {} })));
  });

  it('tells other templates apart', () => {
    assert.ok(!sameTemplate(template('web:1'), template('web:2')));
    assert.notEqual(templateHash(template('web:1')), templateHash(template('web:2')));
  });

  it('hashes to ten safe letters, another ten after a collision', () => {
    assert.match(templateHash(template('web:1')), /^[bcdfghjklmnpqrstvwxz2456789]{10}$/);
    assert.equal(templateHash(template('web:1')), templateHash(withHash));
    assert.notEqual(templateHash(template('web:1'), 1), templateHash(template('web:1')));
  });

  it('takes the oldest of several ReplicaSets with the template', () => {
    const sets: KubeObject[] = [
      aReplicaSet({ name: 'b', age: 2 }),
      aReplicaSet({ name: 'a', age: 1 }),
      aReplicaSet({ name: 'c', image: 'x', age: 0 }),
    ];
    assert.equal(findNewReplicaSet(aDeployment(), sets)?.metadata.name, 'a');
  });
});
