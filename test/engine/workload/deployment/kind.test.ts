// What Deployments add to the contract of a workload kind (contract.test.ts).
import assert from 'node:assert/strict';
import { asDigest } from '../../../support/digests.ts';
import { HELD, PAUSED_UNSEEN } from '../../../../src/api/keys.ts';
import type { Condition, Held } from '../../../../src/api/types.ts';
import { grantOn, MARK, NO_BUDGET } from '../../../../src/engine/workload/deployment/hold.ts';
import { deploymentKind } from '../../../../src/engine/workload/deployment/kind.ts';
import {
  deployment,
  held,
  mergePatchOf,
  progressOf,
  rollout,
  rows,
  snapshot,
  stage,
  USER,
  written,
  type Stage,
  type DeploymentSketch,
} from '../../build.ts';

const kind = deploymentKind;
const viewOf = (sketch: Stage) => progressOf(snapshot(stage(sketch)));

describe('a Deployment', () => {
  it('with strategy Recreate cannot be released in steps, and says what to write', () => {
    assert.match(
      kind.obstacle(deployment({ type: 'Recreate' }))?.message ?? '',
      /"web".*set spec\.strategy\.type to RollingUpdate$/,
    );
    assert.equal(kind.obstacle(deployment()), undefined);
    const { spec, ...rest } = deployment();
    assert.equal(kind.obstacle({ ...rest, spec: { ...spec, strategy: undefined! } }), undefined);
  });

  const loose: readonly (readonly [what: string, settings: Partial<typeof USER>, loose: boolean])[] = [
    ['that is paused is not loose', { paused: true }, false],
    ['that is marked is not: we let it move', { ...MARK, paused: false }, false],
    ['that is neither is loose', { paused: false }, true],
    ['that was resumed is loose', { paused: null }, true],
  ];
  rows(loose, (settings, expected) =>
    assert.equal(kind.isLoose(viewOf({ deployment: { settings: { ...USER, ...NO_BUDGET, ...settings } } })), expected),
  );

  const settled: readonly (readonly [what: string, sketch: Stage, settled: boolean])[] = [
    ['is rolled out when all is new and available', {}, true],
    ['is not with 0 replicas', { replicas: 0, updated: 0 }, false],
    [
      'is not while its controller has not seen the last change',
      { deployment: { status: { observedGeneration: 4 } } },
      false,
    ],
    ['is not while its controller counts an old Pod', { deployment: { status: { updatedReplicas: 9 } } }, false],
    ['is not while its controller counts a Pod too many', { deployment: { status: { replicas: 11 } } }, false],
    ['is not while an old ReplicaSet is to have Pods', { old: { v1: 1 } }, false],
    [
      'is not while its new ReplicaSet is to have fewer',
      {
        updated: 9,
        available: 9,
        deployment: { status: { replicas: 10, updatedReplicas: 10, availableReplicas: 10 } },
      },
      false,
    ],
    [
      'is not while its controller counts a Pod too few available',
      { deployment: { status: { availableReplicas: 9 } } },
      false,
    ],
  ];
  rows(settled, (sketch, expected) =>
    assert.equal(kind.isSettled(viewOf({ updated: 10, old: { v1: 0 }, state: 'free', ...sketch }), 0), expected),
  );

  const condition = (type: string, status: string, reason: string): Condition => ({ type, status, reason });
  const refused: readonly (readonly [
    what: string,
    conditions: readonly Condition[] | undefined,
    reason: string | undefined,
  ])[] = [
    ['says nothing about why no ReplicaSet is made', undefined, undefined],
    [
      'says it with its progress',
      [condition('Progressing', 'False', 'ReplicaSetCreateError')],
      'ReplicaSetCreateError',
    ],
    ['says it without its progress', [condition('ReplicaFailure', 'True', 'FailedCreate')], 'FailedCreate'],
    [
      'says it with its progress first',
      [condition('ReplicaFailure', 'True', 'FailedCreate'), condition('Progressing', 'False', 'ReplicaSetCreateError')],
      'ReplicaSetCreateError',
    ],
    ['says nothing that is over', [condition('ReplicaFailure', 'False', 'FailedCreate')], undefined],
    [
      'says nothing where its progress is another',
      [condition('Progressing', 'False', 'ProgressDeadlineExceeded')],
      undefined,
    ],
  ];
  rows(refused, (conditions, reason) => {
    const { failure } = kind.whyNoVersion(deployment({ status: { conditions: conditions! } }));
    assert.equal(failure?.reason, reason);
  });

  it('is reminded by its record alone', () => {
    const view = viewOf({ state: 'moving', budget: [3, 2] });
    const { metadata, spec } = mergePatchOf(kind.remind(view, { ...view.held!, reminded: '2026-01-01T12:00:00Z' }));
    assert.deepEqual([Object.keys(metadata['annotations'] as object), spec], [[HELD], undefined]);
  });

  it('that is held at once keeps what it has while its controller is at work', () => {
    const busy = deployment({ version: 'v2', status: { replicas: 12 } });
    const budget = (sketch: DeploymentSketch): Held['budget'] => {
      const effects = kind.holdNow(deployment(sketch), {
        rollout: 'web-rollout',
        stable: asDigest('v1'),
        bypassed: 'x',
      });
      return grantOn({ name: 'web', labels: mergePatchOf(effects).metadata['labels'] as Record<string, string> })
        .budget;
    };
    assert.deepEqual(budget({ version: 'v2', status: busy.status! }), { maxSurge: '25%', maxUnavailable: '25%' });
    assert.deepEqual(budget({ version: 'v2' }), NO_BUDGET);
  });

  it('that is given up is given back with what was edited on it', () => {
    const edited = deployment({
      version: 'v2',
      held: held(),
      settings: { paused: true, maxSurge: 4, maxUnavailable: 1 },
    });
    const { spec } = mergePatchOf(kind.giveUp(edited, held(), {}));
    assert.deepEqual(spec, { paused: null, strategy: { rollingUpdate: { maxUnavailable: '25%' } } });
  });

  it('whose edits nobody saw keeps them in the record', () => {
    const view = viewOf({ deployment: { settings: { ...USER, paused: true, maxSurge: 4, maxUnavailable: 1 } } });
    assert.deepEqual(kind.noticeEdits(view, view.held!)?.map(written), ['hold']);
  });

  it('that leaves is resumed only where the API server’s own policy has paused it', () => {
    const spec = (annotations: Record<string, string>): unknown =>
      kind
        .leave(deployment({ settings: { paused: true }, annotations }), { labels: { app: null } })
        .map((effect) => effect.kind === 'Patch' && 'spec' in effect.patch && effect.patch.spec)[0];
    assert.deepEqual(spec({ [PAUSED_UNSEEN]: 'false' }), { paused: null });
    assert.equal(spec({ [PAUSED_UNSEEN]: 'true' }), false);
    assert.equal(spec({}), false);
  });

  it('says what a step costs at most', () => {
    const { limits, worst } = kind.spending(deployment(), 10);
    assert.deepEqual(limits, { surge: 3, unavailable: 2 });
    assert.deepEqual(
      [worst(0, 2), worst(2, 5), worst(5, 5), worst(6, 5)],
      [
        { surge: 0, unavailable: 2 },
        { surge: 1, unavailable: 2 },
        { surge: 0, unavailable: 0 },
        { surge: 0, unavailable: 0 },
      ],
    );
    assert.deepEqual(worst(0, 2, true), { surge: 2, unavailable: 0 }, 'the next step does not wait');
    const record = held({ user: { ...USER, maxSurge: 1, maxUnavailable: 0 } });
    assert.deepEqual(
      kind.spending(deployment({ held: record }), 10).limits,
      { surge: 1, unavailable: 0 },
      'the user’s own',
    );
  });

  it('gives advice about its Rollout', () => {
    assert.notDeepEqual(kind.advise(rollout(), deployment({ replicas: 1 })), []);
  });
});
