// What a takeover refuses and why, as a function of the facts; and what admission does with a Deployment until it is taken over.
import assert from 'node:assert/strict';
import type { Deployment, ReplicaSet, Rollout } from '../../src/api/types.ts';
import { planTakeover, type Ending, type Facts, type Plan } from '../../src/cli/takeover/plan.ts';
import { sha256 } from '../../src/cli/resources.ts';
import { intercept } from '../../src/engine/admit/intercept.ts';
import * as kruise from '../support/openkruise.ts';

const LIMITS = { maxSurge: 2, maxUnavailable: 1 };
const template = (image: string): Deployment['spec']['template'] => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'app', image }] },
});

const metadata = kruise.onDeployment(
  { name: 'web', stable: 'old', updated: 4 },
  { partition: 4, rollingUpdate: LIMITS },
);

const deployment: Deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { ...metadata, namespace: 'shop', uid: 'd', resourceVersion: '7', generation: 3 },
  spec: {
    replicas: 10,
    paused: true,
    strategy: { type: 'Recreate' },
    selector: { matchLabels: { app: 'web' } },
    template: template('web:v2'),
  },
  status: { observedGeneration: 3, replicas: 10, updatedReplicas: 4, readyReplicas: 10, availableReplicas: 10 },
};

const set = (hash: string, image: string, replicas: number): ReplicaSet => ({
  metadata: {
    name: `web-${hash}`,
    namespace: 'shop',
    uid: hash,
    generation: 1,
    labels: { app: 'web', 'pod-template-hash': hash },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'd', controller: true }],
  },
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template: template(image) },
  status: { observedGeneration: 1, replicas, readyReplicas: replicas, availableReplicas: replicas },
});

const rollout = kruise.rollout({ namespace: 'shop', name: 'web' }, [{ replicas: 4 }, { replicas: '100%' }]) as Rollout;
const facts: Facts = {
  now: 0,
  deployment,
  rollouts: [rollout],
  replicaSets: [set('old', 'web:v1', 6), set('new', 'web:v2', 4)],
  services: [],
  extras: [],
};

const plan = (more: Partial<Facts>, ending?: Ending): Plan => planTakeover({ ...facts, ...more }, ending);
const withSpec = (spec: object, annotations: Record<string, string> = {}): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, annotations: { ...deployment.metadata.annotations, ...annotations } },
  spec: { ...deployment.spec, ...spec } as Deployment['spec'],
});
function refused(planned: Plan): string {
  assert.equal(planned.kind, 'Refuse', JSON.stringify(planned));
  return planned.kind === 'Refuse' ? `${planned.reason}; instead: ${planned.remedy}` : '';
}

const blueGreen = withSpec(
  {
    paused: false,
    minReadySeconds: 2147483646,
    progressDeadlineSeconds: 2147483647,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '50%', maxUnavailable: 0 } },
  },
  {
    'rollouts.kruise.io/original-deployment-strategy':
      '{"maxUnavailable":1,"maxSurge":2,"progressDeadlineSeconds":600,"minReadySeconds":0}',
  },
);

describe('a takeover', () => {
  it('is one write for exactly the Deployment that was looked at', () => {
    const planned = plan({});
    assert.equal(planned.kind, 'PatchDeployment', JSON.stringify(planned));
    assert.deepEqual(planned.kind === 'PatchDeployment' && planned.ops[0], {
      op: 'replace',
      path: '/metadata/resourceVersion',
      value: '7',
    });
  });

  it('waits until the Deployment controller has seen everything', () => {
    const late = { ...deployment, status: { ...deployment.status!, observedGeneration: 2 } };
    assert.deepEqual(plan({ deployment: late }), {
      kind: 'Wait',
      waitsFor: 'the Deployment controller to see the last change',
    });
  });

  it('refuses a blue-green release, and says how it can be ended', () => {
    assert.match(
      refused(plan({ deployment: blueGreen })),
      /blue-green.*kubectl delete rollouts\.rollouts\.kruise\.io web -n shop --wait=false.*kubectl tranche takeover web -n shop --finish/,
    );
  });

  it('ends a blue-green release with the settings that its user wrote, once its Rollout is on its way out', () => {
    const leaving = { ...rollout, metadata: { ...rollout.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const marked = set('old', 'web:v1', 10);
    const first = plan(
      {
        deployment: blueGreen,
        rollouts: [leaving],
        replicaSets: [{ ...marked, spec: { ...marked.spec, minReadySeconds: 2147483646 } }, set('new', 'web:v2', 5)],
      },
      'Finish',
    );
    assert.match(
      JSON.stringify(first),
      /"kind":"PatchReplicaSet".*"minReadySeconds":0/,
      'the old Pods count again first',
    );
    const replicaSets = [marked, set('new', 'web:v2', 5)];
    const then = JSON.stringify(plan({ deployment: blueGreen, rollouts: [leaving], replicaSets }, 'Finish'));
    assert.match(then, /"rollingUpdate":\{"maxSurge":2,"maxUnavailable":1\}/);
    assert.match(then, /"path":"\/spec\/progressDeadlineSeconds","value":600/);
    assert.match(then, /"op":"remove","path":"\/spec\/minReadySeconds"/);
    assert.match(then, /web-DisableByRollout/);
  });

  it('refuses a release with an extra Deployment', () => {
    const extra = { ...deployment, metadata: { name: 'web-x7f', namespace: 'shop' } };
    assert.match(refused(plan({ extras: [extra] })), /an extra Deployment \(web-x7f\)/);
  });

  it('refuses while a Service sends its traffic to one version only', () => {
    const service = {
      metadata: { name: 'web', namespace: 'shop' },
      spec: { selector: { app: 'web', 'pod-template-hash': 'old' } },
    };
    const other = {
      metadata: { name: 'api', namespace: 'shop' },
      spec: { selector: { app: 'api', 'pod-template-hash': 'x' } },
    };
    assert.equal(plan({ services: [other] }).kind, 'PatchDeployment');
    for (const ending of [undefined, 'Finish', 'Rollback'] as const)
      assert.match(
        refused(plan({ services: [service] }, ending)),
        /Service web sends.*kubectl patch service web -n shop/,
      );
  });

  it('refuses a Rollout that asks for what Tranche does not do, with its field', () => {
    const strategy = { canary: { ...rollout.spec.strategy.canary, trafficRoutings: [{ service: 'web' }] } };
    const routes = { ...rollout, spec: { ...rollout.spec, strategy } };
    assert.match(refused(plan({ rollouts: [routes] })), /spec\.strategy\.canary\.trafficRoutings/);
  });

  it('refuses when it was scaled down meanwhile, and names the size to go back to', () => {
    assert.match(
      refused(plan({ deployment: withSpec({ replicas: 5 }) })),
      /kubectl scale deployment web -n shop --replicas=10/,
    );
  });

  it('does not end a release that its Rollout takes through steps', () => {
    assert.match(refused(plan({}, 'Finish')), /kubectl tranche finish web -n shop/);
  });

  it('says when the limits of the user are not known any more', () => {
    const { 'rollouts.kruise.io/deployment-strategy': _, ...annotations } = deployment.metadata.annotations!;
    const planned = plan({ deployment: { ...deployment, metadata: { ...deployment.metadata, annotations } } });
    assert.equal(planned.kind === 'PatchDeployment' && planned.guessed, true);
  });
});

describe('until it is taken over, admission', () => {
  const decide = (next: Deployment): ReturnType<typeof intercept> =>
    intercept({ operation: 'UPDATE', old: deployment, next, user: 'alice', fieldManager: 'kubectl' }, rollout, {
      operatorUser: 'operator',
      sha256,
    });

  it('refuses to un-pause it in Recreate', () => {
    const { verdict, refusal } = decide(withSpec({ paused: false }));
    assert.equal(verdict, 'Refused');
    assert.match(refusal!.remedy, /kubectl tranche takeover web -n shop/);
  });

  it('lets a rolling update out of it through', () => {
    const strategy = { type: 'RollingUpdate', rollingUpdate: LIMITS };
    assert.equal(decide(withSpec({ paused: false, strategy })).verdict, 'Passed');
  });

  it('keeps it paused, and what OpenKruise noted on it, when a newer template comes', () => {
    const manifest = withSpec({
      paused: undefined,
      template: template('web:v3'),
      strategy: { type: 'RollingUpdate', rollingUpdate: LIMITS },
    });
    const { verdict, patch, warnings } = decide({ ...manifest, metadata: { ...manifest.metadata, annotations: {} } });
    assert.equal(verdict, 'Bypassed');
    assert.match(warnings[0]!, /starts nothing until it is taken over/);
    assert.ok(patch.some((op) => op.path === '/spec/paused' && op.op !== 'remove' && op.value === true));
    assert.match(JSON.stringify(patch), /deployment-strategy/);
  });
});
