// Pods that cannot be made, Pods that are rejected, and others who refuse or change what is written.
import assert from 'node:assert/strict';
import { ApiError, type AdmissionRequest } from '@tranche/sandbox/types';
import { ROLLOUT_ID } from '../../src/api/keys.ts';
import { applyOps } from '../support/json-patch.ts';
import { template, World } from './world.ts';

const STEPS = [{ replicas: 2 }, { replicas: '50%' }, { replicas: '100%' }];
const QUOTA = 'exceeded quota: small, requested: pods=1, used: pods=10, limited: pods=10';

const refuse = (message: string, code = 403, reason = 'Forbidden'): never => {
  throw new ApiError({ code, reason, message });
};
const creates = ({ operation, attributes }: AdmissionRequest, resource: string): boolean =>
  operation === 'CREATE' && attributes.resource === resource && attributes.subresource === '';

describe('a release whose Pods', () => {
  let world: World;
  let others: (request: AdmissionRequest) => void = () => {};

  const begin = async (
    canary: object = {},
    rollingUpdate: object = { maxSurge: 1, maxUnavailable: 0 },
  ): Promise<void> => {
    others = () => {};
    world = new World({ seed: 5 });
    world.others = (request) => others(request);
    await world.start();
    await world.createDeployment({ spec: { strategy: { rollingUpdate } } });
    await world.createRollout(STEPS, { canary });
    await world.untilHealthy();
    await world.virtual.settled();
  };
  afterEach(() => world.stop());

  const isStalled = (): boolean => world.condition('Stalled')?.status === 'True';
  const message = (): string => world.rollout.status?.message ?? '';
  const told = (wanted: string): number =>
    world.events.filter(({ reason, about }) => reason === wanted && about.kind !== 'Deployment').length;
  /** As a ResourceQuota. */
  const limitPods = (most: number): void => {
    others = (request) => {
      if (creates(request, 'pods') && world.pods.length >= most)
        refuse(`pods "${request.object!.metadata.generateName}" is forbidden: ${QUOTA}\u001b[31m\nline two`);
    };
  };
  const limitSets = (): void => {
    others = (request) => {
      if (creates(request, 'replicasets')) refuse('replicasets.apps "demo-x" is forbidden: exceeded quota: few');
    };
  };

  describe('cannot be made', () => {
    it('says why in Kubernetes’ words, stalls after the deadline, and goes on when they can', async () => {
      await begin();
      limitPods(10);
      await world.release('v2');
      const said =
        /waiting for ReplicaSet demo-\w+ \(1 Pod is not created: pods "demo-\w+-" is forbidden: exceeded quota/;
      await world.until('it says why', () => said.test(message()), 30_000);
      assert.doesNotMatch(JSON.stringify(world.rollout.status), /\u001b|\\u001b|\\n/);
      await world.run(200_000);
      assert.equal(isStalled(), false);
      await world.until('stalled', isStalled, 600_000);
      assert.match(message(), /^step 1\/3 stalled: ReplicaSet demo-\w+ \(1 Pod is not created: .*exceeded quota/);
      await world.run(300_000);
      assert.equal(isStalled(), true);
      assert.equal(told('Stalled'), 1);
      assert.deepEqual(world.sizes, { v1: 10, v2: 1 });
      others = () => {};
      await world.untilPaused(1, 2_000_000);
      assert.equal(isStalled(), false);
      assert.equal(told('Recovered'), 1);
      assert.deepEqual(world.sizes, { v1: 8, v2: 2 });
    });

    it('are counted from when they are due: not while some are made, and in a later step too', async () => {
      await begin({ stepDeadlineSeconds: 120 }, { maxSurge: 0, maxUnavailable: 3 });
      await world.release('v2');
      await world.untilPaused(1);
      await world.run(3_600_000);
      limitPods(8);
      await world.approve();
      await world.until('some are missing', () => /\d Pods? (is|are) not created/.test(message()), 30_000);
      await world.run(60_000);
      assert.equal(isStalled(), false);
      await world.until('stalled', isStalled, 120_000);
      assert.equal(world.condition('Stalled')?.reason, 'StepDeadlineExceeded');
    });

    it('go back with onFailure Rollback, also when the operator dies meanwhile', async () => {
      await begin({ onFailure: 'Rollback', stepDeadlineSeconds: 200 });
      limitPods(10);
      await world.release('v2');
      await world.run(150_000);
      world.crash();
      await world.run(20_000);
      world.startOperator();
      await world.until('failed', () => world.history[0]?.outcome === 'Failed', 120_000);
      assert.deepEqual([world.runs, world.sizes], ['v1', { v1: 10 }]);
    });

    it('have failed after five minutes where there is no deadline', async () => {
      await begin({ stepDeadlineSeconds: 0 });
      limitPods(10);
      await world.release('v2');
      await world.run(290_000);
      assert.equal(isStalled(), false);
      await world.until('stalled', isStalled, 30_000);
      assert.equal(world.condition('Stalled')?.reason, 'PodsFailing');
    });

    it('are tolerated up to failureThreshold', async () => {
      await begin({ failureThreshold: 1, stepDeadlineSeconds: 60 }, { maxSurge: 0, maxUnavailable: 2 });
      await world.release('v2');
      const own = (): World['pods'][number] | undefined =>
        world.pods.find(({ spec }) => JSON.stringify(spec).includes('demo/v2'));
      await world.until('they are made', () => own() !== undefined && world.pods.length === 10);
      limitPods(9);
      await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${own()!.metadata.name}`);
      await world.untilPaused(1, 120_000);
      await world.run(600_000);
      assert.equal(isStalled(), false);
    });

    it('because their ReplicaSet cannot be made: says so, reminds the Deployment controller, and goes on when it can', async () => {
      await begin();
      limitSets();
      await world.release('v2');
      await world.until(
        'it says so',
        () => /waiting for Deployment demo \(the ReplicaSet .* is not created/.test(message()),
        30_000,
      );
      await world.until('stalled', isStalled, 700_000);
      assert.match(message(), /kubectl describe deployment demo\)/);
      await world.run(3_600_000);
      assert.equal(told('Stalled'), 1);
      assert.equal(told('Recovered'), 0);
      const reminders = world.calls.filter(
        ({ method, path }) => method === 'PATCH' && path.endsWith('/deployments/demo'),
      );
      assert.ok(reminders.length < 20, `${reminders.length} writes in an hour`);
      world.crash();
      world.startOperator();
      others = () => {};
      await world.untilPaused(1, 600_000);
      assert.deepEqual(world.sizes, { v1: 8, v2: 2 });
    });

    it('because their ReplicaSet cannot be made: goes back with onFailure Rollback', async () => {
      await begin({ onFailure: 'Rollback' });
      limitSets();
      await world.release('v2');
      await world.until('failed', () => world.history[0]?.outcome === 'Failed', 900_000);
      assert.deepEqual([world.runs, world.sizes, world.held], ['v1', { v1: 10 }, false]);
    });
  });

  describe('are rejected again and again', () => {
    /** As a kubelet that does not admit them. */
    const reject = (reason: string, more: object = {}): void => {
      const doomed = new Set<string>();
      world.virtual.observe(({ type, object }) => {
        const { name, uid } = object.metadata;
        if (type !== 'ADDED' || object.kind !== 'Pod' || doomed.has(uid!)) return;
        if (!object.spec.containers[0].image.includes('/v2')) return;
        doomed.add(uid!);
        world.virtual.clock.after(600, () => {
          const status = { phase: 'Failed', reason, message: `Pod was rejected: ${reason}`, ...more };
          const path = `/api/v1/namespaces/default/pods/${name}/status`;
          void world.virtual.client
            .request('PATCH', path, { type: 'application/merge-patch+json', body: { status } })
            .catch(() => {});
        });
      });
    };

    it('stalls within a minute, and counts them', async () => {
      await begin();
      reject('UnexpectedAdmissionError');
      await world.release('v2:slow');
      await world.until('stalled', isStalled, 60_000);
      assert.equal(world.condition('Stalled')?.reason, 'PodsFailing');
      assert.match(
        message(),
        /demo-\w+-\w+ \(UnexpectedAdmissionError: Pod was rejected: .*; \d+ earlier Pods failed too\)/,
      );
      assert.equal(world.sizes['v1'], 10);
    });

    it('goes back with onFailure Rollback', async () => {
      await begin({ onFailure: 'Rollback' });
      reject('OutOfcpu');
      await world.release('v2:slow');
      await world.until('failed', () => world.history[0]?.outcome === 'Failed', 120_000);
      assert.deepEqual(world.sizes, { v1: 10 });
    });

    it('is no failure of theirs when their node evicts them', async () => {
      await begin();
      reject('Evicted', {
        conditions: [{ type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' }],
      });
      await world.release('v2:slow');
      await world.run(90_000);
      assert.equal(isStalled(), false);
    });
  });

  it('need longer than the deadline by minReadySeconds is no failure', async () => {
    await begin({ stepDeadlineSeconds: 60, onFailure: 'Rollback' });
    await world.patch({ spec: { minReadySeconds: 120 } });
    await world.virtual.settled();
    await world.release('v2');
    await world.untilPaused(1, 600_000);
    assert.equal(told('Stalled'), 0);
  });

  describe('may not be labelled', () => {
    const refusals: readonly [string, number, string][] = [
      ['by a policy', 422, 'Invalid'],
      ['for want of a right', 403, 'Forbidden'],
      ['by a webhook that is not there', 500, 'InternalError'],
    ];
    for (const [what, code, reason] of refusals)
      it(`${what}: the release goes on, says so once in a while, and labels them when it may`, async () => {
        await begin();
        const refusing = (request: AdmissionRequest): void => {
          const { operation, attributes } = request;
          if (operation === 'UPDATE' && attributes.resource === 'pods' && attributes.user.username.endsWith(':tranche'))
            refuse('labels of Pods are ours', code, reason);
        };
        others = refusing;
        await world.patch({ metadata: { labels: { [ROLLOUT_ID]: 'build-7' } }, spec: { template: template('v2') } });
        await world.untilPaused(1, 60_000);
        assert.equal(told('WriteRefused'), 1);
        assert.match(message(), /waiting for approval/);
        await world.approve();
        await world.untilPaused(2, 60_000);
        assert.equal(told('WriteRefused'), 1);
        const labelled = (): number =>
          world.pods.filter(({ metadata }) => metadata.labels?.[ROLLOUT_ID] !== undefined).length;
        assert.equal(labelled(), 0);
        others = () => {};
        await world.until('they are labelled', () => labelled() === 5, 310_000);
        await world.approve();
        await world.untilCompleted(60_000);
      });
  });

  describe('fail, with others that change what puts the stable version back', () => {
    const change = (path: string, value: unknown): void => {
      others = (request) => {
        const { operation, attributes, object } = request;
        if (attributes.resource !== 'deployments' || attributes.subresource !== '' || operation !== 'UPDATE') return;
        const [before, after] = [request.oldObject, object].map((one) => JSON.stringify(one?.spec.template));
        if (before === after) return;
        request.object = applyOps(object!, [{ op: 'add', path, value }]);
      };
    };

    it('ends as Failed, releases what came back in steps, and does not go round in circles', async () => {
      await begin({ onFailure: 'Rollback' });
      await world.release('v2:broken');
      await world.until('it is under way', () => world.sizes['v2:broken'] === 1);
      change('/spec/template/metadata/annotations', { injected: 'yes' });
      await world.until('failed', () => world.history.some(({ outcome }) => outcome === 'Failed'), 180_000);
      await world.untilPaused(1, 120_000);
      assert.deepEqual(
        world.history.map(({ outcome }) => outcome),
        [undefined, 'Failed'],
      );
      assert.match(world.condition('Bypassed')?.message ?? '', /something else changed the template/);
      assert.equal(world.sizes['v2:broken'], undefined);
      assert.equal(world.sizes['v1'], 8);
      assert.equal(told('FailureRollback'), 1);
    });

    it('leaves with what came back, when the Rollout is deleted and goes back', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      await world.patchRollout({ metadata: { annotations: { 'tranche.dev/on-delete': 'Rollback' } } });
      let times = 0;
      const stamp = (request: AdmissionRequest): void => {
        const { operation, attributes, object } = request;
        if (attributes.resource !== 'deployments' || attributes.subresource !== '' || operation !== 'UPDATE') return;
        if (attributes.user.username.endsWith(':tranche'))
          request.object = applyOps(object!, [
            { op: 'add', path: '/spec/template/metadata/annotations', value: { stamp: String(times++) } },
          ]);
      };
      others = stamp;
      await world.deleteRollout();
      await world.until('it is gone', () => world.rolloutOf() === undefined, 60_000);
      assert.ok(times < 10, `${times} writes`);
      others = () => {};
      await world.virtual.settled();
      assert.deepEqual([world.held, world.runs, world.sizes], [false, 'v1', { v1: 10 }]);
    });

    it('goes back again where somebody has changed it after that', async () => {
      await begin();
      await world.release('v2');
      await world.untilPaused(1);
      await world.patchRollout({ metadata: { annotations: { 'tranche.dev/on-delete': 'Rollback' } } });
      let changed = false;
      world.virtual.observe(({ object }) => {
        if (
          changed ||
          object.kind !== 'Deployment' ||
          !JSON.stringify(object.metadata.annotations).includes('reverted')
        )
          return;
        changed = true;
        void world.release('v3');
      });
      await world.deleteRollout();
      await world.until('it is gone', () => world.rolloutOf() === undefined, 60_000);
      assert.equal(changed, true);
      await world.virtual.settled();
      assert.deepEqual([world.runs, world.sizes], ['v1', { v1: 10 }]);
    });

    it('holds where it fails again', async () => {
      await begin({ onFailure: 'Rollback' });
      await world.release('v2:broken');
      await world.until('it is under way', () => world.sizes['v2:broken'] === 1);
      change('/spec/template/spec/containers/0/image', 'demo/v3:broken');
      await world.until('failed', () => world.history.some(({ outcome }) => outcome === 'Failed'), 180_000);
      await world.until('stalled', isStalled, 180_000);
      await world.run(1_800_000);
      assert.deepEqual(
        world.history.map(({ outcome }) => outcome),
        [undefined, 'Failed'],
      );
      assert.equal(told('FailureRollback'), 1);
      assert.equal(isStalled(), true);
      assert.ok((world.sizes['v1'] ?? 0) >= 9, JSON.stringify(world.sizes));
    });
  });
});
