// What slipped past the webhook: held at once with everything that the webhook would have written.
import assert from 'node:assert/strict';
import { HELD, ROLLOUT_ID } from '../../../src/api/keys.ts';
import type { Held } from '../../../src/api/types.ts';
import { catchUp, dropRecord, holdAgain } from '../../../src/engine/release/bypass.ts';
import { NO_BUDGET } from '../../../src/engine/workload/deployment/hold.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import {
  ago,
  atStep,
  brief,
  deployment,
  healthy,
  held,
  mergePatchOf,
  progressOf,
  rollout,
  rows,
  sha256,
  snapshot,
  stage,
  USER,
  type Stage,
  type StatusSketch,
} from '../build.ts';
import type { Rollout } from '../../../src/api/types.ts';

const shotOf = (status: Rollout['status'] | undefined, sketch: Stage): Snapshot =>
  snapshot({ rollout: rollout(status && { status }), ...stage(sketch) });

interface Caught {
  readonly record: Held;
  readonly id: string | undefined;
}
function caught(status: Rollout['status'] | undefined, sketch: Stage): Caught {
  const shot = shotOf(status, { state: 'free', ...sketch });
  const decision = catchUp(shot, progressOf(shot), 'nobody saw it');
  assert.equal(brief(decision), 'hold | - | Bypassed | children');
  assert.equal(decision.events[0]?.message, 'nobody saw it: it is held now');
  const { annotations, labels } = mergePatchOf(decision.effects).metadata as Record<string, Record<string, string>>;
  return { record: JSON.parse(annotations![HELD]!) as Held, id: labels?.[ROLLOUT_ID] };
}

describe('a template that nobody held is held', () => {
  const two: Stage = { updated: 2, old: 8 };
  const finishing = atStep(3, 'Completed', { reason: 'Finalising' });
  const largest = { updated: 1, old: { v0: 3, v1: 6 } };
  const table: readonly (readonly [
    what: string,
    status: Rollout['status'] | undefined,
    sketch: Stage,
    stable: string,
  ])[] = [
    ['with what runs as the stable version', healthy(), two, 'v1'],
    ['with what ran before the release, where its record was lost', atStep(1, 'StepUpgrade'), two, 'v1'],
    [
      'with what was released, where that has just ended',
      finishing,
      { version: 'v3', updated: 1, old: { v2: 9 } },
      'v2',
    ],
    ['with what most Pods run, where nothing is known', undefined, largest, 'v1'],
    ['with nothing, where there is none', undefined, { updated: 2, old: {} }, ''],
  ];
  rows(table, (status, sketch, stable) => {
    const { record } = caught(status, sketch);
    assert.deepEqual([record.stable, record.bypassed, record.rollout], [stable, 'nobody saw it', 'web-rollout']);
  });

  it('with what ran as the stable version, and not what most Pods run', () => {
    assert.equal(caught(healthy(), { updated: 1, old: { v0: 8, v1: 1 } }).record.stable, 'v1');
  });

  it('with the version as stable that has the most Pods, where none is available', () => {
    const { workload, children } = stage({ updated: 1, old: { v0: 3, v1: 6 }, state: 'free' });
    const sets = children.replicaSets.map((set) => ({ ...set, status: { ...set.status, availableReplicas: 0 } }));
    const shot = snapshot({ workload, children: { replicaSets: sets, pods: [] } });
    assert.match(JSON.stringify(catchUp(shot, progressOf(shot), 'x').effects[0]), /"stable\\":\\"v1/);
  });

  it('with the version as stable that has the most available Pods, and not the most Pods', () => {
    const { record } = caught(undefined, { updated: 1, old: { v0: 4, v1: 5 }, lacking: 5 });
    assert.equal(record.stable, 'v0');
  });

  it('with the user’s settings as they stand there', () => {
    assert.deepEqual(caught(healthy(), two).record.user, USER);
  });

  const own = sha256('uid-web/5/v2').slice(0, 10);
  const history = [{ rolloutID: 'r2', revision: 'v2', startTime: ago(900) }];
  const ids: readonly (readonly [
    what: string,
    status: StatusSketch | Rollout['status'],
    sketch: Stage,
    id: string | undefined,
  ])[] = [
    ['with the id that its author gave it', healthy(), two, undefined],
    ['with one of its own, where that was used before', healthy('v1', { history }), two, own],
    [
      'with one of its own, where there is none',
      healthy(),
      { ...two, deployment: { labels: { [ROLLOUT_ID]: undefined } } },
      own,
    ],
    ['with one of its own, where it has that of the release under way', atStep(1, 'StepUpgrade'), two, own],
    [
      'with the id that its author gave it in a release',
      atStep(1, 'StepUpgrade', { canary: { observedRolloutID: 'r9' } }),
      two,
      undefined,
    ],
    [
      'with the id that its author gave it, when a release has just ended',
      atStep(3, 'Completed', { reason: 'Finalising', history: [], canary: { observedRolloutID: 'r1' } }),
      two,
      undefined,
    ],
  ];
  rows(ids, (status, sketch, id) => assert.equal(caught(status as Rollout['status'], sketch).id, id));

  it('with a record that was lost in a release, from the fields that are still ours', () => {
    const copy = { ...held({ user: { ...USER, maxSurge: 7 } }), budget: NO_BUDGET };
    const { workload, children } = stage({
      ...two,
      state: 'free',
      deployment: { settings: { ...USER, ...NO_BUDGET } },
    });
    const [set, ...sets] = children.replicaSets;
    const annotated = { ...set!, metadata: { ...set!.metadata, annotations: { [HELD]: JSON.stringify(copy) } } };
    const facts = { workload, children: { ...children, replicaSets: [annotated, ...sets] } };
    const user = (status: Rollout['status']): unknown => {
      const shot = snapshot({ rollout: rollout({ status: status! }), ...facts });
      const { annotations } = mergePatchOf(catchUp(shot, progressOf(shot), 'x').effects).metadata as Record<
        string,
        Record<string, string>
      >;
      return (JSON.parse(annotations![HELD]!) as Held).user.maxSurge;
    };
    assert.equal(user(atStep(1, 'StepUpgrade')), 7);
    assert.equal(user(healthy()), 0, 'outside of a release what stands there is the user’s');
    assert.equal(user(atStep(3, 'Completed', { reason: 'Finalising' })), 0, 'so it is when it was given back');
  });
});

describe('a Deployment that was un-paused', () => {
  const loose = { deployment: { settings: { ...USER, ...NO_BUDGET, paused: false } } };
  const again = (sketch: Stage) => {
    const shot = shotOf(atStep(1, 'StepUpgrade'), { ...sketch, ...loose });
    const progress = progressOf(shot);
    return holdAgain(shot, progress, progress.held!);
  };
  it('is held again, and the record says what happened', () => {
    const decision = again({ updated: 4 });
    assert.equal(brief(decision), 'freeze | - | Bypassed | children');
    assert.match(JSON.stringify(decision.effects), /resumed during the release/);
    assert.equal(decision.events[0]?.message, 'the Deployment was resumed during the release: it is held again');
  });

  it('is at its end where no old Pod is left', () => {
    const decision = again({ updated: 10, old: { v1: 0 } });
    assert.equal(decision.status?.history?.[0]?.bypassed, 'the Deployment was resumed during the release');
    assert.equal(
      brief(decision),
      '- | Progressing 1 StepUpgrade Progressing=Finalising Bypassed=NotSeenByWebhook | Bypassed | children',
    );
  });
});

describe('a record that says nothing', () => {
  it('is taken off with everything that belongs to it', () => {
    const workload = deployment({ held: held(), settings: USER, annotations: { other: 'stays' } });
    const decision = dropRecord(progressOf(snapshot({ workload })));
    const { annotations } = mergePatchOf(decision.effects).metadata as { annotations: object };
    assert.deepEqual([...new Set(Object.values(annotations))], [null]);
    assert.deepEqual(Object.keys(annotations).toSorted(), [
      'rollouts.kruise.io/in-progressing',
      'tranche.dev/give-back',
      HELD,
    ]);
    assert.equal(brief(decision), 'leave | - | - | children');
  });
});
