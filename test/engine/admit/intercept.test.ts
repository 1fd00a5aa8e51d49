import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as keys from '../../../src/api/keys.ts';
import type { CanaryStatus, Deployment, Held, Rollout } from '../../../src/api/types.ts';
import {
  heldLabels,
  markedSettings,
  readHeld,
  settingsOf,
  withSettings,
  writeHeld,
} from '../../../src/engine/workload/deployment/hold.ts';
import { templateDigest } from '../../../src/engine/lib/template.ts';
import type { Edit } from '../../../src/engine/admit/edit.ts';
import { intercept, type Interception } from '../../../src/engine/admit/intercept.ts';
import { asDigest } from '../../support/digests.ts';
import { applyOps } from '../../support/json-patch.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const options = { operatorUser: 'system:serviceaccount:tranche:tranche', sha256 };

const V1 = { metadata: { labels: { app: 'demo' } }, spec: { containers: [{ name: 'c', image: 'app:v1' }] } };
/** What the operator has seen of it at rest. */
const seen = (digest: string): Pick<Rollout, 'status'> => ({
  status: {
    phase: 'Healthy',
    currentStepIndex: 3,
    currentStepState: 'Completed',
    canaryStatus: {
      podTemplateHash: '',
      canaryReplicas: 0,
      canaryReadyReplicas: 0,
      currentStepIndex: 3,
      nextStepIndex: -1,
      currentStepState: 'Completed',
      finalisingStep: '',
      templateDigest: asDigest(digest),
      stableDigest: asDigest(digest),
    },
  },
});
const rollout: Rollout = {
  ...seen(templateDigest(V1, sha256)),
  metadata: { name: 'rollouts-demo', namespace: 'default' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'demo' },
    strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }] } },
  },
};
const disabled: Rollout = { ...rollout, spec: { ...rollout.spec, disabled: true } };
const withSteps = (steps: NonNullable<Rollout['spec']['strategy']['canary']>['steps'], annotations = {}): Rollout => ({
  ...rollout,
  metadata: { ...rollout.metadata, annotations },
  spec: { ...rollout.spec, strategy: { canary: { steps: steps ?? [] } } },
});

const idle: Deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'demo',
    namespace: 'default',
    uid: 'u-1',
    generation: 1,
    labels: { team: 'a', [keys.WORKLOAD_TYPE]: 'deployment' },
    annotations: { note: 'b' },
  },
  spec: {
    replicas: 10,
    selector: { matchLabels: { app: 'demo' } },
    progressDeadlineSeconds: 600,
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    template: { metadata: { labels: { app: 'demo' } }, spec: { containers: [{ name: 'c', image: 'app:v1' }] } },
  },
  status: { observedGeneration: 1, replicas: 10, updatedReplicas: 10 },
};

type Spec = Partial<Deployment['spec']>;
const edited = (from: Deployment, spec: Spec, metadata: Partial<Deployment['metadata']> = {}): Deployment => ({
  ...from,
  metadata: { ...from.metadata, ...metadata },
  spec: { ...from.spec, ...spec },
});
const image = (tag: string): Spec => ({
  template: { metadata: { labels: { app: 'demo' } }, spec: { containers: [{ name: 'c', image: `app:${tag}` }] } },
});
const without = <T>(map: Readonly<Record<string, T>> | undefined, ...names: string[]): Record<string, T> =>
  Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !names.includes(key)));

interface Outcome extends Interception {
  readonly result: Deployment;
}

/** Decides, applies, and checks what holds for every decision: it changes nothing when it is asked again. */
const edit = (
  old: Deployment | undefined,
  next: Deployment,
  who: Rollout | undefined = rollout,
  by: Partial<Edit> = {},
): Outcome => {
  const request: Edit = {
    operation: old ? 'UPDATE' : 'CREATE',
    old,
    next,
    user: 'alice',
    fieldManager: 'kubectl',
    ...by,
  };
  const before = JSON.stringify([old, next]);
  const decision = intercept(request, who, options);
  assert.equal(JSON.stringify([old, next]), before, 'the objects of the review stay as they are');
  const result = applyOps(next, decision.patch);
  const again = intercept({ ...request, next: result }, who, options);
  assert.deepEqual(again.patch, [], `asked again (reinvocation) it changes ${JSON.stringify(again.patch)}`);
  assert.deepEqual(intercept(request, who, options), decision, 'the same edit gets the same answer');
  return { ...decision, result };
};

const recorded = ({ metadata }: Deployment, record: Held): Pick<Deployment['metadata'], 'labels' | 'annotations'> => ({
  labels: { ...metadata.labels, ...(heldLabels(record) as Record<string, string>) },
  annotations: { ...metadata.annotations, [keys.HELD]: writeHeld(record) },
});
const held = (more: Partial<Held> = {}, spec: Spec = {}): Deployment => {
  const { result } = edit(idle, edited(idle, image('v2')));
  const record: Held = { ...(readHeld(result) as Held), ...more };
  return edited(result, spec, {
    ...recorded(result, record),
    labels: { ...recorded(result, record).labels, [keys.STABLE_REVISION]: 'abc' },
  });
};
const moving = (more: Partial<Held> = {}): Deployment => {
  const at = held(more);
  const record = { ...(readHeld(at) as Held), budget: { maxSurge: 1, maxUnavailable: 2 } };
  const settings = { ...markedSettings(record), paused: false };
  return {
    ...at,
    metadata: { ...at.metadata, ...recorded(at, record) },
    spec: withSettings(at.spec, settings),
  };
};
const user = (d: Deployment): Held['user'] | undefined => readHeld(d)?.user;

describe('an edit of a Deployment that is not held', () => {
  it('with a new template is held, in one patch that touches nothing else', () => {
    const next = edited(idle, { ...image('v2'), replicas: 12 });
    const { verdict, result, patch } = edit(idle, next);
    assert.equal(verdict, 'Held');
    assert.deepEqual(
      patch.map(({ op, path }) => `${op} ${path}`),
      [
        'add /metadata/labels/tranche.dev~1budget',
        'add /metadata/labels/rollouts.kruise.io~1rollout-id',
        'add /metadata/annotations/tranche.dev~1held',
        'add /metadata/annotations/tranche.dev~1give-back',
        'add /metadata/annotations/rollouts.kruise.io~1in-progressing',
        'add /metadata/annotations/tranche.dev~1changed-by',
        'add /spec/paused',
        'replace /spec/strategy/rollingUpdate/maxSurge',
        'replace /spec/strategy/rollingUpdate/maxUnavailable',
      ],
    );
    assert.equal(result.spec.replicas, 12, 'a scale in the same edit goes through');
    assert.deepEqual(result.spec.template, next.spec.template);
    assert.deepEqual(result.spec.strategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxSurge: 0, maxUnavailable: 1 },
    });
    assert.equal(result.spec.paused, true);
    assert.equal(result.metadata.annotations?.[keys.IN_PROGRESSING], '{"rolloutName":"rollouts-demo"}');
    assert.equal(result.metadata.annotations?.[keys.CHANGED_BY], 'alice');
    assert.deepEqual(user(result), settingsOf(idle));
  });

  it("keeps the settings that come with the new template as the user's", () => {
    const next = edited(idle, { ...image('v2'), minReadySeconds: 30, paused: true });
    assert.deepEqual(user(edit(idle, next).result), { ...settingsOf(idle), minReadySeconds: 30, paused: true });
  });

  it('is held all the same when it drops the labels and annotations of the enrolment', () => {
    const bare = { name: 'demo', namespace: 'default' };
    const { verdict, result } = edit(idle, { ...edited(idle, image('v2')), metadata: bare });
    assert.equal(verdict, 'Held');
    assert.equal(result.metadata.labels?.[keys.WORKLOAD_TYPE], 'deployment');
  });

  it('gets back the label of the enrolment', () => {
    const next = edited(idle, {}, { labels: without(idle.metadata.labels, keys.WORKLOAD_TYPE) });
    const { verdict, result } = edit(idle, next);
    assert.equal(verdict, 'Kept');
    assert.deepEqual(result.metadata.labels, idle.metadata.labels);
  });

  for (const [what, spec] of Object.entries<Spec>({
    'a scale': { replicas: 20 },
    'a pause': { paused: true },
    'other limits': { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 0 } } },
    minReadySeconds: { minReadySeconds: 5 },
    'pod-template-hash in the template': {
      template: { ...idle.spec.template, metadata: { labels: { app: 'demo', 'pod-template-hash': 'x' } } },
    },
  })) {
    it(`passes with ${what}: nothing is released`, () => {
      const { verdict, patch, warnings } = edit(idle, edited(idle, spec));
      assert.deepEqual({ verdict, patch, warnings }, { verdict: 'Passed', patch: [], warnings: [] });
    });
  }

  it('passes with Recreate, and says what the next release will be', () => {
    const next = edited(idle, { strategy: { type: 'Recreate' } });
    const { verdict, patch, warnings } = edit(idle, next);
    assert.deepEqual({ verdict, patch }, { verdict: 'Passed', patch: [] });
    assert.deepEqual(warnings, [
      'tranche: Rollout rollouts-demo cannot release Deployment demo in steps: strategy Recreate replaces all Pods at the same time; set spec.strategy.type to RollingUpdate',
    ]);
    assert.deepEqual(edit(next, edited(next, { replicas: 3 })).warnings, [], 'it is said once');
  });

  it('passes where no Rollout names the Deployment', () => {
    const { verdict, warnings } = intercept(
      { operation: 'UPDATE', old: idle, next: edited(idle, image('v2')), user: 'alice', fieldManager: '' },
      undefined,
      options,
    );
    assert.deepEqual({ verdict, warnings }, { verdict: 'Passed', warnings: [] });
  });

  it('is left alone when the operator itself makes it, and only then', () => {
    const next = edited(idle, image('v2'));
    const operator = { user: options.operatorUser, fieldManager: 'tranche' };
    assert.deepEqual(edit(idle, next, rollout, operator).patch, []);
    assert.equal(edit(idle, next, rollout, { ...operator, user: 'alice' }).verdict, 'Held');
    assert.equal(edit(idle, next, rollout, { ...operator, fieldManager: 'kubectl' }).verdict, 'Held');
  });

  const bypassed: Readonly<Record<string, readonly [Deployment, Rollout, RegExp]>> = {
    'the Rollout is disabled': [
      edited(idle, image('v2')),
      disabled,
      /Rollout rollouts-demo is disabled: Deployment demo updates all Pods/,
    ],
    'the Rollout is being deleted': [
      edited(idle, image('v2')),
      { ...rollout, metadata: { ...rollout.metadata, deletionTimestamp: '2026-11-23T12:00:00Z' } },
      /rollouts-demo is being deleted/,
    ],
    'the strategy is Recreate': [
      edited(idle, { ...image('v2'), strategy: { type: 'Recreate' } }),
      rollout,
      /demo has strategy Recreate.*; set spec.strategy.type to RollingUpdate/,
    ],
    'the Rollout has no steps': [edited(idle, image('v2')), withSteps([]), /has no spec.strategy.canary.steps/],
  };
  for (const [why, [next, who, words]] of Object.entries(bypassed)) {
    it(`goes out without steps, and says so, when ${why}`, () => {
      const { verdict, patch, warnings } = edit(idle, next, who);
      assert.equal(verdict, 'Bypassed');
      assert.deepEqual(patch, []);
      assert.match(warnings.join('\n'), words);
    });
  }

  it('goes out without steps when there are no Pods, with the id of its release', () => {
    const next = edited(idle, { ...image('v2'), replicas: 0 });
    const { verdict, patch, warnings } = edit(idle, next);
    assert.equal(verdict, 'Bypassed');
    assert.match(warnings.join('\n'), /demo has 0 replicas/);
    const written = applyOps(next, patch);
    const { labels } = written.metadata;
    assert.match(labels?.[keys.ROLLOUT_ID] ?? '', /^[0-9a-f]{16}$/);
    assert.deepEqual(written.spec, next.spec);
    assert.notEqual(labels?.[keys.ROLLOUT_ID], idle.metadata.labels?.[keys.ROLLOUT_ID]);
  });

  it('cannot forge the author or the hold', () => {
    const annotations = { ...idle.metadata.annotations, [keys.CHANGED_BY]: 'mallory', [keys.HELD]: '{"v":1}' };
    assert.deepEqual(edit(idle, edited(idle, {}, { annotations })).result, idle);
  });

  it('made from a manifest exported during a release is un-done of the hold, then held anew', () => {
    const exported = held();
    const same = edit(idle, { ...exported, spec: { ...exported.spec, template: idle.spec.template } });
    assert.deepEqual(same.result.spec, idle.spec, 'the same template: as the user wrote it');
    assert.equal(same.result.metadata.annotations?.[keys.HELD], undefined);
    assert.equal(same.result.metadata.labels?.[keys.STABLE_REVISION], undefined);
    const other = edit(idle, edited(exported, image('v3')));
    assert.equal(other.verdict, 'Held');
    assert.deepEqual(user(other.result), settingsOf(idle));
  });
});

describe('the creation of a Deployment', () => {
  it('that a Rollout names puts the label of the enrolment on it', () => {
    const created = { ...idle, metadata: { name: 'demo' } };
    const { verdict, patch } = edit(undefined, created);
    assert.equal(verdict, 'Enrolled');
    assert.deepEqual(patch, [{ op: 'add', path: '/metadata/labels', value: { [keys.WORKLOAD_TYPE]: 'deployment' } }]);
  });

  it('from a manifest exported during a release does not leave it paused', () => {
    const { result } = edit(undefined, held());
    assert.deepEqual(result.spec, { ...idle.spec, ...image('v2') });
    assert.deepEqual(result.metadata.annotations, { note: 'b' });
  });

  it('that no Rollout names passes', () => {
    const created = { ...idle, metadata: { name: 'other' } };
    const request: Edit = { operation: 'CREATE', old: undefined, next: created, user: 'a', fieldManager: '' };
    assert.deepEqual(intercept(request, undefined, options), {
      verdict: 'Passed',
      changed: false,
      patch: [],
      warnings: [],
    });
  });
});

describe('an edit of a held Deployment', () => {
  it('back to the stable template frees it at once, byte for byte as the user wrote it', () => {
    const { verdict, result, warnings } = edit(held(), edited(held(), image('v1')));
    assert.equal(verdict, 'RolledBack');
    assert.deepEqual(result.spec, idle.spec);
    assert.deepEqual(Object.keys(result.metadata.annotations ?? {}), ['note', keys.CHANGED_BY]);
    assert.equal(result.metadata.labels?.[keys.STABLE_REVISION], undefined);
    assert.match(warnings.join(), /cancels the release and rolls back immediately, without steps/);
  });

  it('back to the stable template while it moves frees it too', () => {
    const { verdict, result } = edit(moving(), edited(moving(), image('v1')));
    assert.equal(verdict, 'RolledBack');
    assert.deepEqual(result.spec, idle.spec);
  });

  it('back to the stable template only pauses while an abandoned version carries marks: the operator frees it', () => {
    const at = moving({ marks: true });
    const { verdict, result, warnings } = edit(at, edited(at, image('v1')));
    assert.equal(verdict, 'RolledBack');
    assert.deepEqual(result.spec, { ...at.spec, ...image('v1'), paused: true });
    assert.ok(readHeld(result));
    assert.match(warnings.join(), /rolls back shortly/);
  });

  it('back to the stable template stays paused where the user had paused it', () => {
    const at = held({ user: { ...settingsOf(idle), paused: true } });
    const { result, warnings } = edit(at, edited(at, image('v1')));
    assert.equal(result.spec.paused, true);
    assert.match(warnings.join(), /stays paused, as you set it.*kubectl rollout resume deployment\/demo/);
  });

  it('to a newer version stays held, under a new id', () => {
    const { verdict, result, warnings } = edit(held(), edited(held(), image('v3')), rollout, { user: 'bob' });
    assert.equal(verdict, 'Superseded');
    assert.deepEqual(result.spec, { ...held().spec, ...image('v3') });
    assert.notEqual(result.metadata.labels?.[keys.ROLLOUT_ID], held().metadata.labels?.[keys.ROLLOUT_ID]);
    assert.equal(result.metadata.annotations?.[keys.CHANGED_BY], 'bob');
    assert.equal(readHeld(result)?.stable, readHeld(held())?.stable);
    assert.match(warnings.join(), /replaces its current release and releases this from step 1, in 3 steps: 1 → 5 → 10/);
  });

  it('to a newer version while it moves pauses it and leaves the budget: less surge would cost good Pods', () => {
    const { result } = edit(moving(), edited(moving(), image('v3')));
    assert.deepEqual(result.spec, { ...moving().spec, ...image('v3'), paused: true });
  });

  const limits: Spec = { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: '10%' } } };
  const edits: readonly (readonly [string, Deployment, Spec, Partial<Held['user']>, RegExp | undefined])[] = [
    [
      'held: un-pausing',
      held(),
      { paused: false },
      { paused: false },
      /stays held: Rollout rollouts-demo releases it in steps; approve with/,
    ],
    [
      'held: the strategy',
      held(),
      limits,
      { maxSurge: 3, maxUnavailable: '10%' },
      /maxSurge, spec.strategy.rollingUpdate.maxUnavailable recorded/,
    ],
    ['moving: the strategy', moving(), limits, { maxSurge: 3, maxUnavailable: '10%' }, /maxUnavailable recorded/],
    [
      'moving: minReadySeconds',
      moving(),
      { minReadySeconds: 7 },
      { minReadySeconds: 7 },
      /spec.minReadySeconds recorded/,
    ],
    [
      'moving: progressDeadlineSeconds',
      moving(),
      { progressDeadlineSeconds: 99 },
      { progressDeadlineSeconds: 99 },
      /progressDeadlineSeconds recorded/,
    ],
    ['held: what the user had before (a GitOps tool)', held(), { strategy: idle.spec.strategy ?? {} }, {}, undefined],
    [
      'moving: what the user had before (a GitOps tool)',
      moving(),
      { strategy: idle.spec.strategy ?? {}, progressDeadlineSeconds: 600 },
      {},
      undefined,
    ],
  ];
  for (const [what, at, spec, noted, words] of edits) {
    it(`while ${what} is noted and the hold put back`, () => {
      const { verdict, result, warnings } = edit(at, edited(at, spec));
      assert.equal(verdict, 'Kept');
      assert.deepEqual(result.spec, at.spec);
      assert.deepEqual(user(result), { ...user(at), ...noted });
      if (words) assert.match(warnings.join(), words);
      else assert.deepEqual(warnings, []);
    });
  }

  for (const spec of [{ minReadySeconds: 7 }, { progressDeadlineSeconds: 99 }]) {
    it(`at rest: ${Object.keys(spec).join()} is noted and in force at once`, () => {
      const { result, warnings } = edit(held(), edited(held(), spec));
      assert.deepEqual(result.spec, { ...held().spec, ...spec });
      assert.deepEqual(user(result), { ...user(held()), ...spec });
      assert.deepEqual(warnings, []);
    });
  }

  it('that pauses it while it moves stops it there, and is noted', () => {
    const { result, warnings } = edit(moving(), edited(moving(), { paused: true }));
    assert.deepEqual(result.spec, { ...moving().spec, paused: true });
    assert.equal(user(result)?.paused, true);
    assert.match(warnings.join(), /pauses its release; continue with: kubectl rollout resume deployment\/demo/);
    const resumed = edit(result, edited(result, { paused: false }));
    assert.equal(resumed.result.spec.paused, true);
    assert.equal(user(resumed.result)?.paused, false);
    assert.match(resumed.warnings.join(), /continues with its steps/);
  });

  it('a whole manifest that knows nothing of the hold leaves it as it is', () => {
    const manifest: Deployment = {
      metadata: { name: 'demo', namespace: 'default' },
      spec: { ...idle.spec, ...image('v2') },
    };
    const { result, warnings } = edit(held(), manifest);
    assert.deepEqual(result.spec, held().spec);
    assert.equal(result.metadata.annotations?.[keys.HELD], writeHeld({ ...(readHeld(held()) as Held) }));
    for (const key of [keys.WORKLOAD_TYPE, keys.STABLE_REVISION, keys.ROLLOUT_ID]) {
      assert.equal(result.metadata.labels?.[key], held().metadata.labels?.[key], key);
    }
    assert.match(warnings.join(), /stays held/);
  });

  it('cannot change what the annotation says of the stable version', () => {
    const forged = writeHeld({ ...(readHeld(held()) as Held), stable: asDigest('mine'), rollout: 'mine', marks: true });
    const annotations = { ...held().metadata.annotations, [keys.HELD]: forged };
    assert.deepEqual(edit(held(), edited(held(), {}, { annotations })).result, held());
  });

  it('to Recreate is refused: un-pausing it would replace every Pod', () => {
    const { verdict, refusal } = edit(held(), edited(held(), { strategy: { type: 'Recreate' } }));
    assert.equal(verdict, 'Refused');
    assert.equal(refusal?.field, 'spec.strategy.type');
    assert.equal(refusal?.value, 'Recreate');
  });

  for (const [why, who] of [
    ['gone', undefined],
    ['disabled', disabled],
  ] as const) {
    it(`that un-pauses it frees it when its Rollout is ${why}`, () => {
      const request: Edit = {
        operation: 'UPDATE',
        old: held(),
        next: edited(held(), { paused: false }),
        user: 'alice',
        fieldManager: 'kubectl-rollout',
      };
      const decision = intercept(request, who, options);
      assert.equal(decision.verdict, 'Freed');
      const result = applyOps(request.next, decision.patch);
      assert.deepEqual(result.spec, { ...idle.spec, ...image('v2'), paused: false });
      assert.equal(readHeld(result), undefined);
      assert.deepEqual(intercept({ ...request, next: result }, who, options).patch, []);
    });
  }

  it('to a newer version while its Rollout is gone says how to free it', () => {
    const request: Edit = {
      operation: 'UPDATE',
      old: held(),
      next: edited(held(), image('v3')),
      user: 'a',
      fieldManager: '',
    };
    const { warnings } = intercept(request, undefined, options);
    assert.match(warnings.join(), /is still held.*kubectl rollout resume deployment\/demo/);
  });
});

describe('the id of a release', () => {
  const idOf = (d: Deployment): string | undefined => d.metadata.labels?.[keys.ROLLOUT_ID];
  /** The status has followed the last release. */
  const followed = (from: Deployment): Rollout => {
    const status = rollout.status!;
    const canaryStatus = { ...status.canaryStatus!, observedRolloutID: idOf(from) ?? '' };
    return { ...rollout, status: { ...status, canaryStatus } };
  };
  const release = (from: Deployment, tag: string, metadata: Partial<Deployment['metadata']> = {}): Deployment =>
    edit(from, edited(from, image(tag), metadata), followed(from)).result;

  it('is the same for the same edit, whatever was scaled in between, and differs from release to release', () => {
    const first = idOf(release(idle, 'v2'));
    assert.match(first ?? '', /^[0-9a-f]{16}$/);
    assert.equal(idOf(release(edited(idle, { replicas: 3 }, { generation: 7, resourceVersion: '9' }), 'v2')), first);
    const seen = new Set<string | undefined>();
    let at = idle;
    for (let round = 0; round < 5; round++) {
      at = release(at, 'v2');
      seen.add(idOf(at));
      at = release(at, 'v1');
      assert.equal(readHeld(at), undefined);
    }
    assert.equal(seen.size, 5);
  });

  it("is the user's when this edit sets it, as label or as annotation", () => {
    assert.equal(idOf(release(idle, 'v2', { labels: { ...idle.metadata.labels, [keys.ROLLOUT_ID]: 'mine' } })), 'mine');
    assert.equal(idOf(release(idle, 'v2', { annotations: { [keys.ROLLOUT_ID]: 'theirs' } })), 'theirs');
  });

  it('is never that of the release before, nor one that cannot be a label', () => {
    const before = edited(idle, {}, { labels: { ...idle.metadata.labels, [keys.ROLLOUT_ID]: 'old' } });
    assert.notEqual(idOf(release(before, 'v2')), 'old');
    assert.match(
      idOf(release(idle, 'v2', { annotations: { [keys.ROLLOUT_ID]: 'not a label!' } })) ?? '',
      /^[0-9a-f]{16}$/,
    );
  });

  const labelled = (id: string): Deployment =>
    edited(idle, {}, { labels: { ...idle.metadata.labels, [keys.ROLLOUT_ID]: id } });
  const known = (canary: object, history: readonly string[] = []): Rollout => ({
    ...rollout,
    status: {
      phase: 'Healthy',
      currentStepIndex: 3,
      currentStepState: 'Completed',
      canaryStatus: canary as CanaryStatus,
      history: history.map((rolloutID) => ({ rolloutID, revision: '', startTime: '' })),
    },
  });
  const next = (at: Deployment, of: Rollout): string | undefined => idOf(edit(at, edited(at, image('v2')), of).result);

  it('is one that was set in an edit before, if no release had it', () => {
    const before = known({ observedRolloutID: 'build-1' }, ['build-1']);
    assert.equal(next(labelled('build-2'), before), 'build-2');
    const followed = known({ observedRolloutID: 'build-2', releasedRolloutID: 'build-1' }, ['build-1']);
    assert.equal(next(labelled('build-2'), followed), 'build-2', 'the status has followed it');
    const labels = { [keys.WORKLOAD_TYPE]: 'deployment' };
    const dropped = edit(labelled('build-2'), edited(labelled('build-2'), image('v2'), { labels }), before).result;
    assert.equal(idOf(dropped), 'build-2', 'the edit drops the label');
  });

  it('is none that a release had: the last one, one before it, one that was rolled back, or what ran when the Rollout came', () => {
    for (const of of [
      known({ observedRolloutID: 'build-2' }),
      known({ observedRolloutID: 'rollback-build-2' }),
      known({ observedRolloutID: 'build-9' }, ['build-9', 'build-2', 'build-1']),
      known({ observedRolloutID: 'build-9', releasedRolloutID: 'build-2' }),
    ])
      assert.match(next(labelled('build-2'), of) ?? '', /^[0-9a-f]{16}$/, JSON.stringify(of.status));
  });

  it('is not that of the release in flight, when a newer version comes', () => {
    const at = held();
    const of = known({ observedRolloutID: 'another' });
    assert.notEqual(idOf(edit(at, edited(at, image('v3')), of).result), idOf(at));
  });

  it('that is set as annotation in an edit of its own becomes the label', () => {
    const at = edit(idle, edited(idle, {}, { annotations: { [keys.ROLLOUT_ID]: 'build-2' } })).result;
    assert.equal(idOf(at), 'build-2');
    const odd = edit(idle, edited(idle, {}, { annotations: { [keys.ROLLOUT_ID]: 'no label!' } })).result;
    assert.equal(idOf(odd), undefined);
  });

  it('needs no uid in the new object: federation tools send none', () => {
    const { uid: _, ...metadata } = idle.metadata;
    const next = { ...edited(idle, image('v2')), metadata };
    assert.equal(idOf(edit(idle, next).result), idOf(release(idle, 'v2')));
  });
});

describe('what the user is told', () => {
  const told = (who: Rollout, spec: Spec = image('v2')): string =>
    edit(idle, edited(idle, spec), who).warnings.join('\n');
  const restart: Spec = {
    template: {
      ...idle.spec.template,
      metadata: { labels: { app: 'demo' }, annotations: { [keys.RESTARTED_AT]: '2026-11-23T12:47:11Z' } },
    },
  };

  const table: readonly (readonly [Rollout, Spec, string])[] = [
    [
      rollout,
      image('v2'),
      'tranche: Rollout rollouts-demo releases this in 3 steps: 1 → 5 → 10 of 10 Pods; step 1 waits for approval; approve with: kubectl tranche approve rollouts-demo',
    ],
    [
      { ...rollout, metadata: { ...rollout.metadata, namespace: 'shop' } },
      { ...image('v2'), replicas: 4 },
      'tranche: Rollout rollouts-demo releases this in 3 steps: 1 → 2 → 4 of 4 Pods; step 1 waits for approval; approve with: kubectl tranche approve rollouts-demo -n shop',
    ],
    [
      withSteps([
        { replicas: '20%', pause: { duration: 60 } },
        { replicas: '60%', pause: { duration: 0 } },
      ]),
      image('v2'),
      'tranche: Rollout rollouts-demo releases this in 2 steps: 2 → 6 of 10 Pods; step 1 waits 60s; after the last step, the remaining Pods are updated in a rolling update',
    ],
    [
      withSteps([{ replicas: '100%' }]),
      image('v2'),
      'tranche: Rollout rollouts-demo releases this in 1 step: 10 of 10 Pods',
    ],
    [
      withSteps(Array.from({ length: 10 }, (_, i) => ({ replicas: i + 1 }))),
      image('v2'),
      'tranche: Rollout rollouts-demo releases this in 10 steps: 1 → 2 → 3 → 4 → 5 → 6 → … → 10 of 10 Pods; step 1 waits for approval; approve with: kubectl tranche approve rollouts-demo',
    ],
    [
      rollout,
      restart,
      'tranche: Rollout rollouts-demo restarts the Pods in 3 steps: 1 → 5 → 10 of 10 Pods; step 1 waits for approval; approve with: kubectl tranche approve rollouts-demo',
    ],
    [
      withSteps(rollout.spec.strategy.canary?.steps, { [keys.ON_RESTART]: 'Batches' }),
      restart,
      'tranche: Rollout rollouts-demo restarts the Pods in 3 steps: 1 → 5 → 10 of 10 Pods; no step waits for approval',
    ],
    [
      withSteps(rollout.spec.strategy.canary?.steps, { [keys.ON_RESTART]: 'Native' }),
      restart,
      'tranche: Deployment demo restarts in a normal rolling update, because Rollout rollouts-demo has the annotation tranche.dev/on-restart=Native',
    ],
  ];
  for (const [who, spec, sentence] of table) {
    it(sentence, () => assert.equal(told(who, spec), sentence));
  }
});
