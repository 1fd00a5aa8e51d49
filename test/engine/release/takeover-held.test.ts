// What the takeover of a StatefulSet writes or refuses, as a function of the facts. Whole releases are in test/operator/kinds/takeover.test.ts.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ControllerRevision, Pod, Rollout, StatefulSet, Workload } from '../../../src/api/types.ts';
import { whileLeftBehind } from '../../../src/engine/admit/left-behind.ts';
import { leftoverOf } from '../../../src/engine/release/openkruise.ts';
import { planHeldTakeover, type HeldTakeoverFacts } from '../../../src/engine/release/takeover-held.ts';
import type { Ending, TakeoverPlan } from '../../../src/engine/release/takeover-plan.ts';
import { statefulSetKind } from '../../../src/engine/workload/statefulset/kind.ts';
import { digest } from '../../../src/kube/digest.ts';
import { applyOps } from '../../support/json-patch.ts';
import * as kruise from '../../support/openkruise.ts';
import { contextFor } from '../admit/support.ts';
import { NOW } from '../build.ts';

const CONTROL = { [keys.KRUISE_CONTROL_INFO]: '{}' };
const IN_PROGRESS = { [keys.IN_PROGRESSING]: '{"rolloutName":"db"}' };
const template = (image: string) => ({
  metadata: { labels: { app: 'db' } },
  spec: { containers: [{ name: 'db', image }] },
});
const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 'uid-db', controller: true };
const revision = (hash: string, image: string, number: number): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name: `db-${hash}`, namespace: 'shop', uid: hash, ownerReferences: [owner] },
  revision: number,
  data: { spec: { template: template(image) } },
});
const podOf = (ordinal: number, hash: string): Pod =>
  ({
    metadata: {
      name: `db-${ordinal}`,
      namespace: 'shop',
      uid: `pod-${ordinal}`,
      labels: { app: 'db', [keys.CONTROLLER_REVISION_HASH]: `db-${hash}` },
      ownerReferences: [owner],
    },
    spec: {},
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    },
  }) as unknown as Pod;

const set = (
  partition: number | undefined,
  more: { annotations?: object; labels?: object; image?: string } = {},
): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: {
    name: 'db',
    namespace: 'shop',
    uid: 'uid-db',
    resourceVersion: '7',
    generation: 3,
    annotations: { ...CONTROL, ...IN_PROGRESS, ...more.annotations },
    labels: { [keys.STABLE_REVISION]: 'db-old', ...more.labels },
  },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: 'db' } },
    template: template(more.image ?? 'db:v2'),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: partition === undefined ? {} : { partition } },
  },
  status: {
    observedGeneration: 3,
    replicas: 4,
    updateRevision: more.image === 'db:v1' ? 'db-old' : 'db-new',
    currentRevision: 'db-old',
  },
});
const rollout = {
  ...kruise.rollout({ namespace: 'shop', name: 'db' }, [{ replicas: 1 }, { replicas: '100%' }]),
} as Rollout;
const db: Rollout = {
  ...rollout,
  spec: { ...rollout.spec, workloadRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db' } },
};
const facts: HeldTakeoverFacts = {
  now: NOW,
  kind: { ...statefulSetKind, openKruise: statefulSetKind.openKruise! } as HeldTakeoverFacts['kind'],
  workload: set(3),
  rollouts: [db],
  children: {
    replicaSets: [],
    pods: [podOf(0, 'old'), podOf(1, 'old'), podOf(2, 'old'), podOf(3, 'new')],
    revisions: [revision('old', 'db:v1', 1), revision('new', 'db:v2', 2)],
  },
  services: [],
  digest,
  partition: undefined,
};
const plan = (more: Partial<HeldTakeoverFacts> = {}, ending?: Ending): TakeoverPlan =>
  planHeldTakeover({ ...facts, ...more }, ending);
const applied = (planned: TakeoverPlan, to: Workload = facts.workload): StatefulSet => {
  assert.ok(planned.kind === 'PatchWorkload', JSON.stringify(planned));
  return applyOps(to, planned.ops) as StatefulSet;
};

describe('what OpenKruise leaves on a StatefulSet', () => {
  const kind = statefulSetKind as unknown as HeldTakeoverFacts['kind'];
  for (const [what, workload, leftover] of [
    ['a partition and its marks', set(3), 'Partition'],
    [
      'the partition of its webhook',
      { ...set(32767), metadata: { ...set(3).metadata, annotations: IN_PROGRESS } },
      'Paused',
    ],
    ['marks without a partition', set(undefined), 'Traces'],
    ['marks with partition 0', set(0), 'Traces'],
    [
      'a partition alone, which is the user’s',
      { ...set(3), metadata: { ...set(3).metadata, annotations: {} } },
      undefined,
    ],
    ['marks beside our record', set(3, { annotations: { [keys.HELD]: '{}' } }), 'Traces'],
  ] as const)
    it(`is ${leftover ?? 'nothing'}: ${what}`, () => assert.equal(leftoverOf(workload, undefined, kind), leftover));
});

describe('a takeover of a StatefulSet', () => {
  it('holds every Pod, with the version that OpenKruise noted as stable, and without a partition of its user', () => {
    const planned = plan();
    const now = applied(planned);
    const held = statefulSetKind.readHold(now);
    assert.deepEqual([held?.rollout, held?.stable, held?.user], ['db', digest(template('db:v1')), { partition: null }]);
    assert.equal(now.spec.updateStrategy?.rollingUpdate?.partition, 2_147_483_647);
    assert.deepEqual(now.spec.template, facts.workload.spec.template);
    assert.equal(now.metadata.annotations?.[keys.KRUISE_CONTROL_INFO], undefined);
    assert.match(
      planned.kind === 'PatchWorkload' ? (planned.guessed ?? '') : '',
      /^spec\.updateStrategy\.rollingUpdate\.partition: it is removed/,
    );
    assert.equal(plan({ workload: now }).kind, 'Nothing', 'again, there is nothing to do');
  });

  it('records the partition that the user names, and says nothing of a guess', () => {
    const planned = plan({ partition: 2 });
    assert.deepEqual(statefulSetKind.readHold(applied(planned))?.user, { partition: 2 });
    assert.equal(planned.kind === 'PatchWorkload' && planned.guessed, undefined);
  });

  it('is accepted by admission, and nothing else with a record is', () => {
    const context = (next: StatefulSet) => ({
      ...contextFor(facts.workload, next, db),
      kind: statefulSetKind as never,
    });
    const taken = applied(plan());
    assert.equal(whileLeftBehind(context(taken), facts.workload)?.verdict, 'TakenOver');
    const loose = {
      ...taken,
      spec: { ...taken.spec, updateStrategy: set(3).spec.updateStrategy },
    } as StatefulSet;
    assert.equal(whileLeftBehind(context(loose), facts.workload), undefined);
    const newer = { ...facts.workload, spec: { ...facts.workload.spec, template: template('db:v3') } };
    const ruling = whileLeftBehind({ ...context(newer), changed: true }, facts.workload);
    assert.deepEqual([ruling?.verdict, ruling?.wanted?.borrowed], ['Bypassed', { partition: 2_147_483_647 }]);
    assert.match(ruling?.warnings.join() ?? '', /StatefulSet db has an unfinished .* takeover statefulset\/db -n shop/);
  });

  it('waits until the controller has seen everything', () => {
    const late = { ...set(3), status: { ...set(3).status, observedGeneration: 2 } };
    assert.equal(plan({ workload: late }).kind, 'Wait');
  });

  it('gives back what needs no more steps: one version, or the stable one again', () => {
    const pods = [0, 1, 2, 3].map((ordinal) => podOf(ordinal, 'new'));
    for (const more of [{ children: { ...facts.children, pods } }, { workload: set(3, { image: 'db:v1' }) }]) {
      const planned = plan(more);
      assert.match(planned.kind === 'PatchWorkload' ? planned.says : JSON.stringify(planned), /^given back: /);
      const now = applied(planned, more.workload ?? set(3));
      assert.deepEqual(
        [now.spec.updateStrategy?.rollingUpdate?.partition, statefulSetKind.readHold(now)],
        [undefined, undefined],
      );
    }
  });

  it('asks how to end what no Rollout continues, and ends it so', () => {
    const alone = { rollouts: [] };
    assert.equal(plan(alone).kind, 'Refuse');
    assert.deepEqual(applied(plan(alone, 'Finish')).spec.template, template('db:v2'));
    assert.deepEqual(applied(plan(alone, 'Rollback')).spec.template, template('db:v1'));
    const unknown = { ...alone, children: { ...facts.children, pods: [], revisions: [revision('new', 'db:v2', 2)] } };
    assert.equal(plan(unknown, 'Rollback').kind, 'Refuse');
  });

  it('finds the stable version by its hash alone, and without a note by the oldest revision with Pods', () => {
    for (const label of ['old', 'nothing-like-it'])
      assert.equal(
        statefulSetKind.readHold(applied(plan({ workload: set(3, { labels: { [keys.STABLE_REVISION]: label } }) })))
          ?.stable,
        digest(template('db:v1')),
      );
  });
});
