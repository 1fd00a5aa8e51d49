// What a takeover writes or refuses, as a function of the facts; and what admission does with a Deployment until it is taken over.
import assert from 'node:assert/strict';
import type { Deployment, ReplicaSet, Rollout } from '../../../src/api/types.ts';
import { intercept } from '../../../src/engine/admit/intercept.ts';
import type { Ending, TakeoverPlan } from '../../../src/engine/release/takeover-plan.ts';
import { planTakeover, type TakeoverFacts } from '../../../src/engine/release/takeover.ts';
import { digest, sha256 } from '../../../src/kube/digest.ts';
import * as kruise from '../../support/openkruise.ts';

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
const facts: TakeoverFacts = {
  now: 0,
  deployment,
  rollouts: [rollout],
  replicaSets: [set('old', 'web:v1', 6), set('new', 'web:v2', 4)],
  services: [],
  extras: [],
  digest,
};

const plan = (more: Partial<TakeoverFacts>, ending?: Ending): TakeoverPlan =>
  planTakeover({ ...facts, ...more }, ending);
const withSpec = (spec: object, annotations: Record<string, string> = {}): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, annotations: { ...deployment.metadata.annotations, ...annotations } },
  spec: { ...deployment.spec, ...spec } as Deployment['spec'],
});
function refused(planned: TakeoverPlan): string {
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
    assert.equal(planned.kind, 'PatchWorkload', JSON.stringify(planned));
    assert.deepEqual(planned.kind === 'PatchWorkload' && planned.ops[0], {
      op: 'replace',
      path: '/metadata/resourceVersion',
      value: '7',
    });
  });

  it('waits until the Deployment controller has seen everything', () => {
    const late = { ...deployment, status: { ...deployment.status!, observedGeneration: 2 } };
    assert.deepEqual(plan({ deployment: late }), {
      kind: 'Wait',
      waitsFor: 'the Deployment controller to observe the last change',
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
    assert.equal(plan({ services: [other] }).kind, 'PatchWorkload');
    for (const ending of [undefined, 'Finish', 'Rollback'] as const)
      assert.match(
        refused(plan({ services: [service] }, ending)),
        /Service web selects only one version.*kubectl patch service web -n shop/,
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
    assert.match((planned.kind === 'PatchWorkload' && planned.guessed) || '', /both are set to Kubernetes' default/);
  });
});

const counted = (sets: readonly ReplicaSet[]): Deployment['status'] => {
  const sum = sets.reduce((all, { spec }) => all + (spec.replicas ?? 0), 0);
  return { observedGeneration: 3, replicas: sum, readyReplicas: sum, availableReplicas: sum };
};

interface Shape {
  /** Pods by version, the oldest first. */
  readonly sizes: Readonly<Record<string, number>>;
  /** The version that the Deployment asks for; else the last of `sizes`. */
  readonly asks?: string;
  /** The version that the status of the Rollout is about; else the last of `sizes`. */
  readonly releases?: string;
  /** The step in the status; undefined: OpenKruise has written none. */
  readonly step?: number;
  /** How its strategy stands; else as its controllers leave it: paused, Recreate. */
  readonly spec?: object;
  /** Of the annotations and labels of OpenKruise only these; else all. */
  readonly only?: RegExp;
}

/** OpenKruise notes `old` as the stable version: the hash of a ReplicaSet is the name of its version here. */
function leave({ sizes, asks, releases, step, spec, only }: Shape): TakeoverFacts {
  const versions = Object.keys(sizes);
  const replicaSets = Object.entries(sizes).map(([version, replicas]) => set(version, `web:${version}`, replicas));
  const last = versions.at(-1)!;
  const kept = (map: Readonly<Record<string, string>> | undefined): Record<string, string> =>
    Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => only?.test(key) ?? true));
  const status = kruise.rolloutStatus({
    namespace: 'shop',
    name: 'web',
    step: step ?? 0,
    state: 'StepPaused',
    stable: 'old',
    canary: releases ?? last,
    updated: sizes[last]!,
  });
  const left = {
    ...deployment,
    metadata: {
      ...deployment.metadata,
      annotations: kept(deployment.metadata.annotations),
      labels: kept(deployment.metadata.labels),
    },
    spec: { ...deployment.spec, ...spec, template: template(`web:${asks ?? last}`) },
    status: counted(replicaSets),
  } as Deployment;
  return {
    ...facts,
    deployment: left,
    replicaSets,
    rollouts: [step === undefined ? rollout : ({ ...rollout, status } as Rollout)],
  };
}

/** What the plan writes, in a few words. */
function inWords(planned: TakeoverPlan): string {
  switch (planned.kind) {
    case 'Nothing':
      return `nothing: ${planned.says}`;
    case 'Wait':
      return `wait for ${planned.waitsFor}`;
    case 'Refuse':
      return `refuse: ${planned.reason}`;
    case 'PatchReplicaSet':
      return `${planned.set.metadata.name} ${JSON.stringify(planned.spec)}: ${planned.says}`;
    case 'PatchWorkload': {
      const strategy = planned.ops.find(({ path }) => path === '/spec/strategy');
      if (!strategy) return planned.says;
      const { rollingUpdate } = ('value' in strategy ? strategy.value : {}) as {
        rollingUpdate?: { maxSurge: unknown; maxUnavailable: unknown };
      };
      const paused = planned.ops.find(({ path }) => path === '/spec/paused');
      const { maxSurge, maxUnavailable } = rollingUpdate ?? {};
      return `${paused?.op === 'remove' ? 'un-paused' : 'paused'} with ${String(maxSurge)}/${String(maxUnavailable)}: ${planned.says}`;
    }
  }
}

const held = (updated: number, onward: string, budget = '0/1'): string =>
  `paused with ${budget}: taken over: the Deployment stays held with ${updated} of 10 Pods updated, and Rollout web ${onward}`;
const RUNNING = { paused: false, strategy: { type: 'RollingUpdate', rollingUpdate: LIMITS } };

const TABLE: readonly (readonly [name: string, shape: Shape, wanted: string, ending?: Ending])[] = [
  ['between two steps', { sizes: { old: 5, new: 5 }, step: 2 }, held(5, 'continues with step 2 of 2')],
  ['with surge Pods', { sizes: { old: 10, new: 2 }, step: 1 }, held(2, 'continues with step 1 of 2', '2/1')],
  [
    'with a Pod too few, which the stable version gets first',
    { sizes: { old: 4, new: 5 }, step: 2 },
    'web-old {"replicas":5}: ReplicaSet web-old: scaled up by 1 Pod to 5, so that all versions add up to 10',
  ],
  [
    'with a Pod too few and more new Pods than old',
    { sizes: { old: 2, new: 7 }, step: 2 },
    'web-old {"replicas":3}: ReplicaSet web-old: scaled up by 1 Pod to 3, so that all versions add up to 10',
  ],
  [
    'before its first Pod',
    { sizes: { old: 10 }, asks: 'new', releases: '', step: 1 },
    held(0, 'starts with step 1 of 2'),
  ],
  [
    'paused by its webhook alone',
    { sizes: { old: 10 }, asks: 'new', spec: { ...RUNNING, paused: true }, only: /in-progressing|stable-revision/ },
    held(0, 'starts with step 1 of 2'),
  ],
  [
    'with its webhooks gone, so that a rolling update shares the surge out',
    { sizes: { old: 5, new: 7 }, step: 2, spec: { ...RUNNING, paused: true } },
    held(7, 'continues with step 2 of 2', '2/1'),
  ],
  [
    'with a newer template since',
    { sizes: { old: 6, new: 4 }, asks: 'newer', step: 2 },
    held(0, 'starts with step 1 of 2'),
  ],
  ['with three versions', { sizes: { old: 5, mid: 3, new: 2 }, step: 2 }, held(2, 'continues with step 2 of 2')],
  ['after a jump back', { sizes: { old: 3, new: 7 }, step: 1 }, held(7, 'continues with step 1 of 2')],
  [
    'whose old version was put back',
    { sizes: { old: 5, new: 5 }, asks: 'old', step: 2 },
    'un-paused with 2/1: given back: it has the stable template again and rolls back in a normal rolling update',
  ],
  [
    'with nothing left to release',
    { sizes: { old: 0, new: 10 }, step: 2 },
    'un-paused with 2/1: given back: it has only one version left',
  ],
  [
    'that is not paused any more',
    { sizes: { old: 5, new: 5 }, step: 2, spec: RUNNING },
    'cleaned: it had only annotations of OpenKruise Rollouts',
  ],
  [
    'of which nothing is left',
    { sizes: { old: 10 }, spec: RUNNING, only: /none/ },
    'nothing: it has no leftovers of OpenKruise Rollouts',
  ],
];

describe('a takeover of a release that OpenKruise Rollouts left', () => {
  for (const [name, shape, wanted, ending] of TABLE)
    it(name, () => assert.equal(inWords(planTakeover(leave(shape), ending)), wanted));

  it('waits for the Pods of a ReplicaSet that it has made larger', () => {
    const left = leave({ sizes: { old: 5, new: 5 }, step: 2 });
    const [old, ...others] = left.replicaSets;
    const late = { ...old!, status: { ...old!.status, replicas: 4 } } as ReplicaSet;
    const status = { ...left.deployment.status!, replicas: 9 };
    const planned = planTakeover(
      { ...left, deployment: { ...left.deployment, status }, replicaSets: [late, ...others] },
      undefined,
    );
    assert.equal(inWords(planned), 'wait for web-old to create its Pods');
  });

  it('asks how it is to end where no Rollout goes on with it, and does that', () => {
    const left = { ...leave({ sizes: { old: 6, new: 4 }, step: 2 }), rollouts: [] };
    const disabled = { ...left, rollouts: [{ ...rollout, spec: { ...rollout.spec, disabled: true } }] };
    assert.equal(
      inWords(planTakeover(left, undefined)),
      'refuse: no Rollout names it, so it cannot be released in steps',
    );
    assert.match(inWords(planTakeover(disabled, undefined)), /^refuse: Rollout web is disabled/);
    for (const facts of [left, disabled]) {
      assert.match(
        inWords(planTakeover(facts, 'Finish')),
        /^un-paused with 2\/1: given back: it continues to its template/,
      );
      const back = planTakeover(facts, 'Rollback');
      assert.match(inWords(back), /^un-paused with 2\/1: given back: it rolls back to the stable version \(old\)/);
      const op = back.kind === 'PatchWorkload' ? back.ops.find(({ path }) => path === '/spec/template') : undefined;
      assert.deepEqual(op, { op: 'replace', path: '/spec/template', value: template('web:old') });
    }
  });

  it('takes the oldest version that has Pods for the stable one where OpenKruise has noted none', () => {
    const left = leave({ sizes: { first: 3, second: 3, new: 4 } });
    const revised = left.replicaSets.map((one, i) => ({
      ...one,
      metadata: { ...one.metadata, annotations: { 'deployment.kubernetes.io/revision': `${9 + i}` } },
    }));
    const planned = planTakeover({ ...left, rollouts: [], replicaSets: revised }, 'Rollback');
    assert.match(inWords(planned), /the stable version \(first\)/);
  });

  it('leaves nothing to do when its write is done', () => {
    const left = leave({ sizes: { old: 5, new: 5 }, step: 2 });
    const planned = planTakeover(left, undefined);
    assert.equal(planned.kind, 'PatchWorkload');
    const kept = planned.kind === 'PatchWorkload' ? planned.ops : [];
    const annotations = Object.fromEntries(
      kept.flatMap((op) =>
        op.path.startsWith('/metadata/annotations/') && 'value' in op
          ? [[op.path.slice('/metadata/annotations/'.length).replaceAll('~1', '/'), String(op.value)]]
          : [],
      ),
    );
    const labels = { 'rollouts.kruise.io/workload-type': 'deployment', 'rollouts.kruise.io/stable-revision': 'old' };
    const done = {
      ...left.deployment,
      metadata: { ...left.deployment.metadata, annotations, labels },
      spec: { ...left.deployment.spec, strategy: { type: 'RollingUpdate' } },
    };
    assert.equal(planTakeover({ ...left, deployment: done }, undefined).kind, 'Nothing');
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
    assert.match(warnings[0]!, /releases this in steps after a takeover/);
    assert.ok(patch.some((op) => op.path === '/spec/paused' && op.op !== 'remove' && op.value === true));
    assert.match(JSON.stringify(patch), /deployment-strategy/);
  });
});
