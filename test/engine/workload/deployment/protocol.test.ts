// The budget protocol as tables (docs/holding.md): ten Pods, a step of five, maxSurge 3 and maxUnavailable 2 unless a row says otherwise.
import assert from 'node:assert/strict';
import { BUDGET, DESIRED_REPLICAS, HELD, MAX_REPLICAS, STABLE_REVISION, TRIM } from '../../../../src/api/keys.ts';
import type { Held, ReplicaSet } from '../../../../src/api/types.ts';
import { resolveLimits } from '../../../../src/engine/lib/replicas.ts';
import type { Goal, Move } from '../../../../src/engine/workload/kind.ts';
import { advance, freeze, letGo, repair } from '../../../../src/engine/workload/deployment/budget.ts';
import { grantOn } from '../../../../src/engine/workload/deployment/hold.ts';
import type { View } from '../../../../src/engine/workload/deployment/view.ts';
import {
  ago,
  atStep,
  mergePatchOf,
  NOW,
  pod,
  pods,
  progressOf,
  replicaSet,
  rollout,
  rows,
  snapshot,
  stage,
  USER,
  written,
  type Stage,
} from '../../build.ts';

const viewOf = (sketch: Stage): View =>
  progressOf(snapshot({ rollout: rollout({ status: atStep(2, 'StepUpgrade') }), ...stage(sketch) }));

/** A write of the Deployment with the budget that it leaves there, in Pods: `move 3 surge, 2 unavailable`. Of a ReplicaSet: what it is to be. */
function told(view: View, move: Move | undefined): string {
  if (move === undefined) return 'nothing';
  if (move.kind === 'Wait') return `waits for ${move.waitsFor}`;
  if (move.kind !== 'Act') return move.kind;
  const { effect } = move;
  const { metadata, spec } = mergePatchOf([effect]);
  if (effect.kind === 'Patch' && effect.before.kind === 'ReplicaSet')
    return `${written(effect)} ${JSON.stringify(spec)}`;
  const labels = { ...view.deployment.metadata.labels, ...(metadata['labels'] as Record<string, string>) };
  const { budget } = grantOn({ name: 'web', labels });
  const { surge, unavailable } = resolveLimits(budget?.maxSurge, budget?.maxUnavailable, view.replicas);
  return effect.why === 'free' ? 'free' : `${effect.why} ${surge} surge, ${unavailable} unavailable`;
}

const goal = (target: number, more: Partial<Goal> = {}): Goal => ({
  target,
  tolerated: 0,
  keeps: false,
  last: false,
  goesOn: false,
  young: false,
  ...more,
});
const record = (view: View): Held => view.held!;
const starting = (count: number, age: number, from = 0) =>
  pods('v2', count, { ready: null, age }).map((one, i) => ({
    ...one,
    metadata: { ...one.metadata, name: `v2-${from + i + 1}` },
  }));

type Row = readonly [what: string, sketch: Stage, move: string, goal?: Partial<Goal>];
const advances = (sketch: Stage, move: string, more: Partial<Goal> = {}): void => {
  const view = viewOf(sketch);
  assert.equal(told(view, advance(view, record(view), { ...goal(5), ...more })), move);
};

describe('at rest, towards five of ten Pods', () => {
  const table: readonly Row[] = [
    ['nothing is new: the first budget needs no mark', {}, 'move 3 surge, 2 unavailable'],
    ['no more is given than the step asks for', {}, 'move 0 surge, 1 unavailable', { target: 1 }],
    ['surge comes last', {}, 'move 1 surge, 2 unavailable', { target: 3 }],
    ['where nothing may be missing, surge is all there is', { user: [2, 0] }, 'move 2 surge, 0 unavailable'],
    ['where there is no surge, Pods go first', { user: [0, 3] }, 'move 0 surge, 3 unavailable'],
    ['a single Pod is replaced by surge', { replicas: 1, user: [1, 0] }, 'move 1 surge, 0 unavailable', { target: 1 }],
    ['some are new: the native controller is not to count them', { updated: 2 }, 'mark 0 surge, 2 unavailable'],
    ['marked, the next ones follow', { updated: 2, state: 'marked', budget: [0, 2] }, 'move 1 surge, 4 unavailable'],
    [
      'marked, but the ReplicaSet still counts its Pods',
      { updated: 2, state: 'marked', budget: [0, 2], deployment: { status: { availableReplicas: 10 } } },
      'waits for the Deployment controller to count the available Pods',
    ],
    [
      'new Pods that are not available allow no more',
      { updated: 2, available: 0, old: 8, state: 'marked', budget: [0, 2] },
      'move 3 surge, 2 unavailable',
    ],
    [
      'the controller has not seen the last change',
      { deployment: { status: { observedGeneration: 4 } } },
      'waits for the Deployment controller to observe the last change',
    ],
  ];
  rows(table, advances);

  it('the first write also says which version is stable', () => {
    const view = viewOf({ deployment: { labels: { [STABLE_REVISION]: undefined } } });
    const move = advance(view, record(view), goal(5));
    assert.ok(move.kind === 'Act');
    assert.deepEqual(mergePatchOf([move.effect]).metadata['labels'], {
      [STABLE_REVISION]: 'v1',
      [BUDGET]: 'surge-30pct.unavailable-20pct.at-1767268800',
    });
  });

  it('a move is noted with its time, as shares of the size', () => {
    const view = viewOf({});
    const move = advance(view, record(view), goal(5));
    assert.ok(move.kind === 'Act');
    const { metadata, spec } = mergePatchOf([move.effect]);
    const granted = grantOn({ name: 'web', labels: metadata['labels'] as Record<string, string> });
    assert.deepEqual(granted, { moved: ago(0), budget: { maxSurge: '30%', maxUnavailable: '20%' } });
    assert.equal(metadata['annotations'], undefined, 'the Deployment controller would copy them');
    assert.deepEqual(spec, {
      paused: false,
      minReadySeconds: 2147483646,
      progressDeadlineSeconds: 2147483647,
      strategy: { rollingUpdate: { maxSurge: '30%', maxUnavailable: '20%' } },
    });
  });
});

describe('at rest, as we left it', () => {
  const table: readonly Row[] = [
    ['all are there: done', { updated: 5 }, 'Done'],
    ['all are there, and as many may be missing as the user allows: done', { updated: 5, budget: [0, 2] }, 'Done'],
    ['one is missing', { updated: 5, available: 4 }, 'waits for Pods'],
    ['one is missing that may be', { updated: 5, available: 4 }, 'Done', { tolerated: 1 }],
    ['more are there than asked for, and are kept', { updated: 6 }, 'Done', { keeps: true }],
    [
      'more are there than asked for: one ReplicaSet is made smaller',
      { updated: 6, old: 4 },
      'trim web-v1 {"replicas":5}',
    ],
    [
      'more are there than asked for, and are not available: they are waited for',
      { updated: 6, available: 3, old: 4, user: [3, 0] },
      'waits for all updated Pods to become available, to correct the sizes after scaling',
    ],
  ];
  rows(table, advances);
});

describe('in motion, towards five of ten Pods', () => {
  const moving = (surge: number, unavailable: number, sketch: Stage): Stage => ({
    state: 'moving',
    budget: [surge, unavailable],
    ...sketch,
  });
  const young = { young: true };
  const table: readonly Row[] = [
    ['the budget is being spent', moving(3, 2, { updated: 3, old: 10, pods: starting(3, 1) }), 'waits for Pods'],
    ['its Pods are young', moving(3, 2, { updated: 5, old: 8, pods: starting(5, 1) }), 'waits for Pods', young],
    [
      'its Pods take their time: it is held with its surge',
      moving(3, 2, { updated: 5, available: 0, old: 8, pods: starting(5, 6) }),
      'freeze 3 surge, 2 unavailable',
      young,
    ],
    [
      'its Pods are young, in a step that is not: it is held',
      moving(3, 2, { updated: 5, available: 0, old: 8, pods: starting(5, 1) }),
      'freeze 3 surge, 2 unavailable',
    ],
    [
      'two are available, and no further Pod is asked for: that old ones may go is not worth a write yet',
      moving(3, 2, { updated: 5, old: 8, pods: [...pods('v2', 2), ...starting(3, 1, 2)] }),
      'waits for Pods',
      young,
    ],
    [
      'nor are two further Pods, where five may be on their way',
      moving(3, 2, { updated: 5, old: 8, pods: [...pods('v2', 2), ...starting(3, 1, 2)] }),
      'waits for Pods',
      { ...young, target: 8 },
    ],
    [
      'half of that is',
      moving(3, 2, { updated: 5, old: 8, pods: [...pods('v2', 3), ...starting(2, 1, 3)] }),
      'move 3 surge, 5 unavailable',
      { ...young, target: 8 },
    ],
    [
      'the others take their time: two more old ones may go',
      moving(3, 2, { updated: 5, old: 8, pods: [...pods('v2', 2), ...starting(3, 6, 2)] }),
      'move 1 surge, 4 unavailable',
      young,
    ],
    [
      'two are available, in a step that is not young: two more old ones may go',
      moving(3, 2, { updated: 5, old: 8, pods: [...pods('v2', 2), ...starting(3, 1, 2)] }),
      'move 1 surge, 4 unavailable',
    ],
    [
      'all are available, and surge is left: the rest goes',
      moving(3, 2, { updated: 5, old: 8 }),
      'move 0 surge, 5 unavailable',
    ],
    ['all are there: it is held', moving(0, 5, { updated: 5 }), 'hold 0 surge, 1 unavailable'],
    [
      'all are there, the controller has not counted them',
      moving(0, 5, { updated: 5, deployment: { status: { readyReplicas: 9 } } }),
      'waits for the Deployment controller to count the Ready Pods',
    ],
    [
      'all are there in the last step: done, without a hold',
      moving(0, 10, { updated: 10, old: { v1: 0 } }),
      'Done',
      { target: 10, last: true },
    ],
    [
      'one is missing in the last step',
      moving(0, 10, { updated: 10, old: { v1: 0 }, pods: [...pods('v2', 9), ...starting(1, 1, 9)] }),
      'waits for Pods',
      { target: 10, last: true, young: true },
    ],
    [
      'one is missing that may be',
      moving(0, 5, { updated: 5, available: 4 }),
      'hold 0 surge, 2 unavailable',
      { tolerated: 1 },
    ],
    [
      'less surge is not given before the controller has seen all',
      moving(3, 2, { updated: 5, old: 8, deployment: { status: { observedGeneration: 4 } } }),
      'waits for the Deployment controller to observe the last change',
    ],
  ];
  rows(table, advances);
});

describe('at rest, and the next step does not wait', () => {
  const table: readonly Row[] = [
    ['surge comes first', {}, 'move 3 surge, 2 unavailable', { target: 5 }],
    ['and old Pods stay where it suffices', {}, 'move 1 surge, 0 unavailable', { target: 1 }],
    ['where there is no surge, Pods go first', { user: [0, 3] }, 'move 0 surge, 3 unavailable', { target: 5 }],
    ['all are there: what surge has left over stays', { updated: 5, budget: ['30%', 2], old: 8 }, 'Done'],
    [
      'which goes if the next step waits after all',
      { updated: 5, budget: [3, 2], old: 8 },
      'mark 3 surge, 2 unavailable',
      { goesOn: false },
    ],
  ];
  rows(table, (sketch, move, more) => advances(sketch, move, { goesOn: true, ...more }));
});

describe('in motion, and the next step does not wait', () => {
  const there: Stage = { updated: 5, state: 'moving', budget: [0, 5] };
  const surplus: Stage = { ...there, budget: [3, 2], old: 8 };
  const goesOn = { goesOn: true };
  const whole: Stage = { updated: 10, state: 'moving', budget: [3, 7], old: 3 };
  const last = { target: 10, last: true };
  const table: readonly Row[] = [
    ['all are there: done, without a hold', there, 'Done', goesOn],
    [
      'whatever the controller has not seen',
      { ...there, deployment: { status: { readyReplicas: 9 } } },
      'Done',
      goesOn,
    ],
    ['the old Pods that surge has left over go with the next budget', surplus, 'Done', goesOn],
    ['which is given from in motion', surplus, 'move 3 surge, 7 unavailable', { ...goesOn, target: 10 }],
    ['one is missing', { ...there, available: 4 }, 'hold 0 surge, 2 unavailable', goesOn],
    ['one is missing that may be', { ...there, available: 4 }, 'Done', { ...goesOn, tolerated: 1 }],
    ['fewer old ones are left than there should be', { ...there, old: 4 }, 'waits for Pods', goesOn],
    [
      'more are there than asked for: it is held, to be corrected',
      { ...there, updated: 6, old: 4, budget: [0, 6] },
      'hold 0 surge, 1 unavailable',
      goesOn,
    ],
    [
      'an old Pod is not Ready for long enough: it is held, and waits for it',
      { ...there, record: { user: { ...USER, minReadySeconds: 90 } }, pods: pods('v2', 5, { ready: 100 }) },
      'hold 0 surge, 1 unavailable',
      goesOn,
    ],
    ['at rest it stays held', { updated: 5 }, 'Done', goesOn],
    ['after the last step the user’s settings take away what surge has left over', whole, 'Done', last],
    ['one is missing in the last step', { ...whole, available: 9 }, 'move 0 surge, 10 unavailable', last],
    [
      'one is missing that may be: the native controller would wait for it',
      { ...whole, available: 9 },
      'move 0 surge, 10 unavailable',
      { ...last, tolerated: 1 },
    ],
    [
      'with an abandoned version that is marked, the budget takes its Pods',
      {
        ...whole,
        version: 'v3',
        old: { v1: 2, v2: 1 },
        marked: ['v2'],
        record: { marks: true, budget: { maxSurge: 3, maxUnavailable: 7 } },
      },
      'move 0 surge, 10 unavailable',
      last,
    ],
  ];
  rows(table, advances);
});

describe('a write that is guarded by the spec alone', () => {
  const guardOf = (sketch: Stage, more: Partial<Goal> = {}): string | undefined => {
    const view = viewOf(sketch);
    const move = advance(view, record(view), { ...goal(5), ...more });
    assert.ok(move.kind === 'Act' && move.effect.kind === 'Patch');
    return move.effect.guard;
  };
  const moving: Stage = { state: 'moving', budget: [3, 2], updated: 5, old: 8 };
  it('is a larger budget while it moves, and the end', () => {
    assert.equal(guardOf(moving, { target: 10 }), 'Spec');
    const view = viewOf({ updated: 10, old: { v1: 0 }, state: 'moving', budget: [0, 10] });
    const move = letGo(view, record(view));
    assert.equal(move.kind === 'Act' && move.effect.kind === 'Patch' && move.effect.guard, 'Spec');
  });
  it('is none that depends on what the controller has observed', () => {
    assert.equal(guardOf({}), undefined, 'the first budget');
    assert.equal(guardOf(moving), undefined, 'less surge');
    assert.equal(guardOf({ ...moving, budget: [0, 5], old: 5 }), undefined, 'a hold');
    const marks = viewOf({ updated: 2, old: { v0: 1, v1: 7 }, record: { marks: true } });
    const move = letGo(marks, record(marks));
    assert.equal(move.kind === 'Act' && move.effect.kind === 'Patch' && move.effect.guard, undefined);
  });
});

describe('an abandoned version', () => {
  const three: Stage = { version: 'v3', updated: 0, old: { v1: 8, v2: 2 }, record: { stable: 'v1' } };
  const table: readonly Row[] = [
    ['is noted before it is marked', three, 'mark 0 surge, 1 unavailable'],
    [
      'is marked, so that its Pods go first',
      { ...three, record: { marks: true } },
      'mark web-v2 {"minReadySeconds":2147483646}',
    ],
    [
      'is marked: the budget is given',
      { ...three, marked: ['v2'], record: { marks: true } },
      'move 3 surge, 2 unavailable',
    ],
    [
      'loses its mark when the step is done',
      { version: 'v3', updated: 5, old: { v1: 4, v2: 1 }, marked: ['v2'], record: { marks: true } },
      'unmark web-v2 {"minReadySeconds":0}',
    ],
    [
      'without a mark is off the record',
      { version: 'v3', updated: 5, old: { v1: 4, v2: 1 }, record: { marks: true } },
      'unmark 0 surge, 1 unavailable',
    ],
  ];
  rows(table, advances);
});

describe('after scaling', () => {
  const budget: Stage['budget'] = [0, 2];
  const table: readonly Row[] = [
    [
      'too many are new: the new ReplicaSet is made smaller where the old one is larger',
      { updated: 3, old: 7, budget },
      'trim web-v2 {"replicas":2}',
      { target: 2 },
    ],
    ['no more than may be missing', { updated: 8, old: 2, budget }, 'trim web-v1 {"replicas":4}', { target: 2 }],
    [
      'two ReplicaSets of one size cannot be told apart: one Pod less',
      { updated: 6, old: 4, budget },
      'trim web-v1 {"replicas":5}',
      { target: 4 },
    ],
    ['nothing may be missing: they are left', { updated: 6, old: 4, user: [3, 0], budget: [0, 1] }, 'Done'],
    [
      'all are new, and the stable version has surge to come back with',
      { updated: 10, old: { v1: 0 }, user: [3, 0], budget: [0, 1] },
      'mark 3 surge, 10 unavailable',
    ],
    [
      'marked, the stable version comes back',
      { updated: 10, old: { v1: 0 }, user: [3, 0], state: 'marked', budget: [3, 1] },
      'trim web-v1 {"replicas":3}',
    ],
    [
      'it is there: no surge is left',
      { updated: 10, old: { v1: 3 }, user: [3, 0], state: 'marked', budget: [3, 1] },
      'mark 0 surge, 7 unavailable',
    ],
    [
      'it is not available, and may never be: the step does not wait',
      { updated: 10, old: { v1: 3 }, lacking: 3, user: [3, 0], state: 'marked', budget: [3, 1], available: 10 },
      'Done',
    ],
    [
      'a singleton goes back',
      { replicas: 1, updated: 1, old: { v1: 0 }, budget: [0, 1] },
      'mark 1 surge, 1 unavailable',
      { target: 0 },
    ],
    [
      'all are new, and some may be missing: the new ones are marked first',
      { updated: 10, old: { v1: 0 }, budget },
      'mark 0 surge, 10 unavailable',
    ],
  ];
  rows(table, advances);

  const refused = (note: string): string => {
    const { workload, children } = stage({ updated: 7, old: 3, budget });
    const sets = children.replicaSets.map((set): ReplicaSet => ({
      ...set,
      metadata: { ...set.metadata, annotations: { [TRIM]: note } },
    }));
    const view = progressOf(
      snapshot({
        rollout: rollout({ status: atStep(2, 'StepPaused') }),
        workload,
        children: { ...children, replicaSets: sets },
      }),
    );
    return told(view, advance(view, record(view), goal(5)));
  };
  it('a correction that did not last is not tried again until the Deployment changes', () => {
    assert.equal(refused('5/6'), 'TrimRefused');
    assert.equal(refused('5/7'), 'trim web-v1 {"replicas":5}', 'it lasted');
    assert.equal(refused('4/6'), 'trim web-v1 {"replicas":5}', 'of an earlier generation');
    assert.equal(refused('rubbish'), 'trim web-v1 {"replicas":5}');
  });

  it('a correction notes what it means, and the size of the Deployment', () => {
    const view = viewOf({ updated: 3, old: 7, budget });
    const move = advance(view, record(view), goal(2));
    assert.ok(move.kind === 'Act');
    assert.deepEqual(mergePatchOf([move.effect]).metadata['annotations'], {
      [TRIM]: '5/2',
      [DESIRED_REPLICAS]: '10',
      [MAX_REPLICAS]: '10',
    });
    assert.deepEqual(move.trimmed, { from: 3, to: 2 });
  });
});

describe('freezing', () => {
  const table: readonly (readonly [what: string, sketch: Stage, move: string])[] = [
    ['at rest does nothing', { updated: 2 }, 'nothing'],
    [
      'in motion holds it, with its surge',
      { updated: 5, available: 0, old: 8, state: 'moving', budget: [3, 2] },
      'freeze 3 surge, 2 unavailable',
    ],
    [
      'in motion waits until the controller has seen its own writes',
      { updated: 5, old: 8, state: 'moving', budget: [3, 2], deployment: { status: { observedGeneration: 4 } } },
      'waits for the Deployment controller to observe the last change',
    ],
    [
      'takes marks off',
      { updated: 2, old: { v0: 1, v1: 7 }, marked: ['v0'], record: { marks: true } },
      'unmark web-v0 {"minReadySeconds":0}',
    ],
  ];
  rows(table, (sketch, move) => {
    const view = viewOf(sketch);
    assert.equal(told(view, freeze(view, record(view))), move);
  });
});

describe('giving back', () => {
  const marks: Stage = { updated: 2, old: { v0: 1, v1: 7 }, marked: ['v0'], record: { marks: true } };
  const table: readonly (readonly [what: string, sketch: Stage, move: string])[] = [
    ['is one write, from at rest', { updated: 2 }, 'free'],
    [
      'and in motion',
      { updated: 5, old: 8, state: 'moving', budget: [3, 2], deployment: { status: { observedGeneration: 4 } } },
      'free',
    ],
    ['with marks holds first', { ...marks, state: 'moving', budget: [3, 2] }, 'freeze 3 surge, 2 unavailable'],
    [
      'with marks waits in motion until the controller has seen its own writes',
      { ...marks, state: 'moving', budget: [3, 2], deployment: { status: { observedGeneration: 4 } } },
      'waits for the Deployment controller to observe the last change',
    ],
    ['with marks takes them off', marks, 'unmark web-v0 {"minReadySeconds":0}'],
    [
      'with marks off waits until that is seen',
      { ...marks, marked: [], deployment: { status: { observedGeneration: 4 } } },
      'waits for the Deployment controller to observe the last change',
    ],
    ['with marks off and seen is one write', { ...marks, marked: [] }, 'free'],
    ['with no old Pod left needs no mark taken off', { updated: 10, old: { v1: 0 }, record: { marks: true } }, 'free'],
  ];
  rows(table, (sketch, move) => {
    const view = viewOf(sketch);
    assert.equal(told(view, letGo(view, record(view))), move);
  });

  it('notes an edit that no webhook saw before the pause writes the limits again', () => {
    const marked: Stage = { updated: 2, budget: [0, 2], record: { marks: true } };
    const view = viewOf({ ...marked, deployment: { settings: { maxSurge: 1, maxUnavailable: '50%' } } });
    const move = letGo(view, record(view));
    assert.ok(move.kind === 'Act' && move.effect.why === 'hold');
    const { metadata, spec } = mergePatchOf([move.effect]);
    const noted = JSON.parse((metadata['annotations'] as Record<string, string>)[HELD]!) as Held;
    assert.deepEqual([noted.user.maxSurge, noted.user.maxUnavailable], [1, '50%']);
    assert.equal(spec?.['strategy'], undefined, 'the limits stay for now');
  });

  it('pauses when the edit is noted, also if it left the deadline of the mark', () => {
    const left = {
      paused: null,
      maxSurge: 3,
      maxUnavailable: 2,
      minReadySeconds: 5,
      progressDeadlineSeconds: 2147483647,
    };
    const edited: Stage = {
      ...{
        updated: 2,
        old: { v0: 1, v1: 7 },
        marked: ['v0'],
        record: { marks: true },
        state: 'moving',
        budget: [3, 2],
      },
      deployment: { settings: left },
    };
    const first = viewOf(edited);
    const note = letGo(first, record(first));
    assert.ok(note.kind === 'Act' && note.effect.why === 'hold');
    const { metadata } = mergePatchOf([note.effect]);
    const noted = JSON.parse((metadata['annotations'] as Record<string, string>)[HELD]!) as Held;
    const next = viewOf({ ...edited, record: { marks: true, user: noted.user } });
    assert.match(told(next, letGo(next, record(next))), /^freeze/);
  });
});

describe('scaling has left the stable version without a Pod, and nothing may be missing', () => {
  const all: Stage = { updated: 10, old: { v1: 0 }, user: [3, 0], budget: [0, 1] };
  const one: Stage = { replicas: 1, updated: 1, state: 'marked', budget: [1, 1], old: { v1: 0 } };
  const zero = { target: 0 };
  const youngPods = pods('v2', 10, { ready: 5 });
  const later = { user: { ...USER, maxSurge: 3, maxUnavailable: 0, minReadySeconds: 30 } };
  const table: readonly Row[] = [
    ['it is to come back as surge', all, 'mark 3 surge, 10 unavailable'],
    [
      'it is to come back with no more than the step leaves it',
      { ...all, user: ['100%', 0] },
      'mark 5 surge, 10 unavailable',
    ],
    [
      'it is to come back with one Pod less than there are at most',
      { ...all, user: ['100%', 0] },
      'mark 9 surge, 10 unavailable',
      zero,
    ],
    ['not where that is kept', all, 'Done', { keeps: true }],
    ['not where the step leaves it nothing', all, 'Done', { target: 10 }],
    [
      'its surge has another size than was meant',
      { ...all, state: 'marked', budget: [2, 1] },
      'mark 3 surge, 10 unavailable',
    ],
    ['its surge is there, without the mark', { ...all, budget: [3, 1] }, 'mark 3 surge, 10 unavailable'],
    [
      'none is available: as many as the native controller keeps when it scales all in proportion',
      { ...all, available: 0 },
      'mark 2 surge, 10 unavailable',
    ],
    [
      'they are there, and nothing else is available: no surge is left',
      { ...all, available: 0, old: { v1: 2 }, state: 'marked', budget: [2, 1] },
      'mark 0 surge, 8 unavailable',
    ],
    [
      'more of them are there than the native controller keeps: they stay',
      { ...all, available: 0, old: { v1: 3 }, state: 'marked', budget: [3, 1] },
      'freeze 3 surge, 0 unavailable',
    ],
    [
      'new Pods are Ready, and any of them may go',
      { ...all, available: 0, old: { v1: 2 }, state: 'marked', budget: [2, 1], pods: youngPods, record: later },
      'waits for the updated Pods to be Ready for minReadySeconds, to correct the sizes after scaling',
    ],
    [
      'some are not available, and may be missing',
      { ...all, user: [3, 2], old: { v1: 3 }, lacking: 1, state: 'marked', budget: [3, 1] },
      'mark 0 surge, 7 unavailable',
    ],
    ['a singleton: its Pod comes first', one, 'trim web-v1 {"replicas":1}', zero],
    ['a singleton: then the new one goes', { ...one, old: { v1: 1 } }, 'trim web-v2 {"replicas":0}', zero],
    [
      'a singleton: its Pod is not available yet, and may never be: the step does not wait',
      { ...one, old: { v1: 1 }, lacking: 1, user: [1, 0] },
      'Done',
      zero,
    ],
    [
      'neither they nor the Pods of the step are available',
      { ...all, available: 4, old: { v1: 3 }, lacking: 3, state: 'marked', budget: [3, 1] },
      'waits for the stable Pods to become available, to correct the sizes after scaling',
    ],
  ];
  rows(table, advances);

  it('their Pods are available, and their ReplicaSet has not counted them yet: it does not begin again', () => {
    const { workload, children } = stage({ ...all, user: [3, 0], old: { v1: 3 }, state: 'marked', budget: [3, 1] });
    const replicaSets = children.replicaSets.map((set) =>
      set.metadata.name === 'web-v1' ? { ...set, status: { ...set.status, availableReplicas: 0 } } : set,
    );
    const status = { ...workload.status, availableReplicas: 0 };
    const view = progressOf(
      snapshot({
        rollout: rollout({ status: atStep(2, 'StepPaused') }),
        workload: { ...workload, status },
        children: { ...children, replicaSets },
      }),
    );
    assert.equal(told(view, advance(view, record(view), goal(5))), 'Done');
  });

  const counting = (sketch: Stage): string => {
    const { workload, children } = stage(sketch);
    const sets = children.replicaSets.map((set) =>
      set.metadata.name === 'web-v2' ? { ...set, status: { ...set.status, availableReplicas: 10 } } : set,
    );
    const status = { ...workload.status, availableReplicas: 10 };
    const view = progressOf(
      snapshot({
        rollout: rollout({ status: atStep(2, 'StepPaused') }),
        workload: { ...workload, status },
        children: { ...children, replicaSets: sets },
      }),
    );
    return told(view, advance(view, record(view), goal(5)));
  };
  it('the new ReplicaSet counts its Pods still: first it sees the mark', () => {
    const waits = 'waits for the Deployment controller to observe the new minReadySeconds';
    assert.equal(counting({ ...all, state: 'marked', budget: [3, 1] }), waits);
    assert.equal(
      counting({ ...all, user: [0, 2], state: 'marked', budget: [0, 1] }),
      waits,
      'also where some may be missing',
    );
  });

  it('what is written tells how many come back', () => {
    const view = viewOf({ ...all, state: 'marked', budget: [3, 1] });
    const move = advance(view, record(view), goal(5));
    assert.ok(move.kind === 'Act');
    assert.deepEqual(move.trimmed, { from: 10, to: 7 });
    assert.deepEqual(mergePatchOf([move.effect]).metadata['annotations'], {
      [DESIRED_REPLICAS]: '10',
      [MAX_REPLICAS]: '13',
    });
  });
});

describe('several old versions', () => {
  const old = (v1: number, v0: number, target: number): string => {
    const view = viewOf({ version: 'v2', updated: 6, old: { v0, v1 }, budget: [0, 2] });
    return told(view, advance(view, record(view), goal(target)));
  };
  it('the largest of them grows back, and the stable one where they are alike', () => {
    assert.equal(old(3, 1, 5), 'trim web-v1 {"replicas":4}');
    assert.equal(old(1, 3, 5), 'trim web-v0 {"replicas":4}');
    assert.equal(old(2, 2, 5), 'trim web-v1 {"replicas":3}');
  });
});

describe('what is waited for, at rest', () => {
  const young: Stage = {
    replicas: 8,
    available: 2,
    old: 6,
    budget: ['100%', 2],
    record: { user: { ...USER, maxSurge: '100%', maxUnavailable: 2, minReadySeconds: 30 } },
  };
  const table: readonly Row[] = [
    [
      'old Pods, until it does not matter which of them go',
      { updated: 2, record: { user: { ...USER, minReadySeconds: 90 } } },
      'waits for the old Pods to be Ready for minReadySeconds',
    ],
    [
      'new Pods, of which too many are there after scaling, until it does not matter which of them go',
      { ...young, updated: 10, pods: [...pods('v2', 2), ...pods('v2', 8, { ready: 5 })] },
      'waits for the updated Pods to be Ready for minReadySeconds',
    ],
    [
      'not new Pods, of which none is to go',
      { ...young, updated: 8, budget: ['75%', 2], pods: [...pods('v2', 2), ...pods('v2', 6, { ready: 5 })] },
      'mark 6 surge, 2 unavailable',
    ],
    [
      'the last step is not held before it is given back',
      { updated: 10, old: { v1: 0 } },
      'Done',
      { target: 10, last: true },
    ],
    ['what may be missing, in Pods that fail', { updated: 5, available: 3 }, 'Done', { tolerated: 2 }],
    [
      'nothing, where no Pod is asked for, and a surge Pod of an abandoned version is there',
      { replicas: 1, version: 'v3', old: { v1: 1, v2: 1 }, user: [2, 0], budget: ['100%', 0] },
      'Done',
      { target: 0 },
    ],
    ['what may be missing is less', { updated: 5, available: 2 }, 'waits for Pods', { tolerated: 2 }],
  ];
  rows(table, advances);

  it('a ReplicaSet that notes another size is corrected first', () => {
    const { workload, children } = stage({});
    const sets = children.replicaSets.map((set) => ({
      ...set,
      metadata: { ...set.metadata, annotations: { [DESIRED_REPLICAS]: '9' } },
    }));
    const view = progressOf(snapshot({ workload, children: { ...children, replicaSets: sets } }));
    const move = advance(view, record(view), goal(5));
    assert.equal(move.kind === 'Act' && written(move.effect), 'repair web-v1');
  });

  it('an old Pod that is not counted yet: with the mark, the sum of the available Pods would stay', () => {
    const { workload, children } = stage({ updated: 1, old: 9, record: { user: { ...USER, minReadySeconds: 59 } } });
    const sets = children.replicaSets.map((set) =>
      set.metadata.name === 'web-v1' ? { ...set, status: { ...set.status!, availableReplicas: 8 } } : set,
    );
    const status = { ...workload.status, availableReplicas: 9 };
    const view = progressOf(
      snapshot({ workload: { ...workload, status }, children: { ...children, replicaSets: sets } }),
    );
    assert.equal(view.unsettled, undefined, 'the Deployment controller has observed all that is counted');
    const waitsFor = 'the ReplicaSet controller to count the available Pods';
    assert.deepEqual(advance(view, record(view), goal(5)), { kind: 'Wait', waitsFor, againAtMs: NOW + 4_000 });
  });

  it('a ReplicaSet that has no mark yet, and one that still counts Pods', () => {
    const { workload, children } = stage({ updated: 2, state: 'marked', budget: [0, 2] });
    const seen = (change: (set: ReplicaSet) => ReplicaSet, counted: number): string => {
      const sets = children.replicaSets.map((set) => (set.metadata.name === 'web-v2' ? change(set) : set));
      const status = { ...workload.status, availableReplicas: 8 + counted };
      const view = progressOf(
        snapshot({ workload: { ...workload, status }, children: { ...children, replicaSets: sets } }),
      );
      return told(view, advance(view, record(view), goal(5)));
    };
    const waits = 'waits for the Deployment controller to observe the new minReadySeconds';
    assert.equal(
      seen((set) => set, 0),
      'move 1 surge, 4 unavailable',
    );
    assert.equal(
      seen((set) => ({ ...set, spec: { ...set.spec, minReadySeconds: 0 } }), 0),
      waits,
    );
    assert.equal(
      seen((set) => ({ ...set, status: { ...set.status, availableReplicas: 1 } }), 1),
      waits,
    );
  });
});

describe('in motion, with an abandoned version that is not marked', () => {
  const three: Stage = {
    version: 'v3',
    old: { v1: 8, v2: 2 },
    state: 'moving',
    budget: [3, 0],
    updated: 3,
    available: 3,
  };
  const table: readonly Row[] = [
    ['it is held, for its marks', three, 'freeze 3 surge, 2 unavailable'],
    [
      'it goes on with its marks',
      { ...three, marked: ['v2'], record: { marks: true, budget: { maxSurge: 3, maxUnavailable: 0 } } },
      'move 0 surge, 5 unavailable',
    ],
    [
      'it waits until the controller has seen all',
      { ...three, deployment: { status: { observedGeneration: 4 } } },
      'waits for the Deployment controller to observe the last change',
    ],
  ];
  rows(table, advances);
});

describe('with more broken Pods than its marks cover', () => {
  const broken: Stage = {
    version: 'v4',
    old: { v1: 6, v2: 2, v3: 2 },
    marked: ['v3'],
    record: { marks: true },
    user: [0, 5],
  };
  it('no more old Pods may go than those', () => {
    const { workload, children } = stage(broken);
    const lacking = children.pods.map((one) =>
      one.metadata.name === 'v3-1' ? pod('v3-1', { version: 'v3', ready: null }) : one,
    );
    const view = progressOf(
      snapshot({
        rollout: rollout({ status: atStep(2, 'StepUpgrade') }),
        workload,
        children: { ...children, pods: lacking },
      }),
    );
    assert.equal(told(view, advance(view, record(view), goal(5))), 'move 0 surge, 2 unavailable');
  });
  it('without a broken one, all of them may', () => advances(broken, 'mark web-v2 {"minReadySeconds":2147483646}'));
});

describe('held in the middle of a batch', () => {
  const held = (available: number, ready: number): Stage => ({
    updated: 5,
    available,
    old: 8,
    budget: [3, 2],
    pods: [...pods('v2', available, { ready }), ...starting(5 - available, 60, available)],
  });
  const eight = { target: 8 };
  const table: readonly Row[] = [
    ['it is not moved for less than half of what may be on its way', held(2, 1), 'waits for Pods', eight],
    ['it is after five seconds', held(2, 5), 'mark 3 surge, 2 unavailable', eight],
    ['it is moved for half of that at once', held(3, 1), 'mark 3 surge, 2 unavailable', eight],
    ['it is moved at once when all its Pods are there', held(5, 1), 'mark 3 surge, 2 unavailable', eight],
    ['nor for old Pods alone, where the step asks for no more', held(1, 1), 'waits for Pods'],
    ['but after five seconds', held(1, 5), 'mark 3 surge, 2 unavailable'],
  ];
  rows(table, advances);
});

describe('a ReplicaSet that notes another size of the Deployment', () => {
  const repaired = (noted: string | undefined, sketch: Stage = {}): string => {
    const { workload, children } = stage({ updated: 10, old: { v1: 0 }, state: 'free', ...sketch });
    const sets = children.replicaSets.map((set): ReplicaSet => ({
      ...set,
      metadata: { ...set.metadata, annotations: noted === undefined ? {} : { [DESIRED_REPLICAS]: noted } },
    }));
    const view = progressOf(snapshot({ workload, children: { ...children, replicaSets: sets } }));
    return repair(view).map(written).join(', ') || 'nothing';
  };
  it('is corrected where it is the only one, and has the right size', () => {
    assert.equal(repaired('9'), 'repair web-v2');
    assert.equal(repaired('10'), 'nothing', 'it notes the right one');
    assert.equal(repaired(undefined), 'nothing', 'it notes none');
    assert.equal(repaired('9', { updated: 8, old: 2 }), 'nothing', 'there are two');
    assert.equal(repaired('9', { updated: 9, old: { v1: 0 } }), 'nothing', 'it has another size');
    assert.equal(
      repaired('9', { deployment: { status: { observedGeneration: 4 } } }),
      'nothing',
      'the controller will look at it',
    );
  });

  it('is corrected with the sizes as they are', () => {
    const only = replicaSet('v1', { annotations: { [DESIRED_REPLICAS]: '9' } });
    const view = progressOf(
      snapshot({
        children: { replicaSets: [only], pods: [pod('x')] },
        workload: stage({ version: 'v1', updated: 10, old: {}, state: 'free' }).workload,
      }),
    );
    assert.deepEqual(mergePatchOf(repair(view)).metadata['annotations'], {
      [DESIRED_REPLICAS]: '10',
      [MAX_REPLICAS]: '13',
    });
  });
});
