// Which abandoned versions go first: v1 is stable, v0 was abandoned before it, v2 and v3 after it; v4 is new.
import assert from 'node:assert/strict';
import { areInPlace, markedTooMuch, marksFor } from '../../../../src/engine/workload/deployment/marks.ts';
import type { View } from '../../../../src/engine/workload/deployment/view.ts';
import { atStep, pods, progressOf, replicaSet, rollout, rows, snapshot, stage } from '../../build.ts';

interface Old {
  /** Pods, and how many of them are not available. */
  readonly pods: number;
  readonly lacking?: number;
  readonly marked?: true;
}
function viewOf(old: Readonly<Record<string, Old>>): View {
  const { workload } = stage({ version: 'v4', record: { stable: 'v1' } });
  const sets = Object.entries(old).map(([version, { pods: size, marked }]) =>
    replicaSet(version, { size, marked: marked ?? false }),
  );
  const ready = Object.entries(old).flatMap(([version, { pods: size, lacking = 0 }]) => pods(version, size - lacking));
  return progressOf(
    snapshot({
      rollout: rollout({ status: atStep(1, 'StepUpgrade') }),
      workload,
      children: { replicaSets: sets, pods: ready },
    }),
  );
}
const names = (sets: readonly { readonly metadata: { readonly name: string } }[]): string =>
  sets.map(({ metadata }) => metadata.name.slice(4)).join(' ');

describe('the marks', () => {
  const well: Old = { pods: 3 };
  const broken: Old = { pods: 3, lacking: 1 };
  const table: readonly (readonly [what: string, old: Readonly<Record<string, Old>>, marks: string, covers: number])[] =
    [
      ['are none without an abandoned version', { v1: well }, '', Infinity],
      ['are on an abandoned version', { v1: well, v2: well }, 'v2', Infinity],
      ['are not on one without Pods', { v1: well, v2: { pods: 0 } }, '', Infinity],
      ['are on all of them where all are well', { v0: well, v1: well, v2: well, v3: well }, 'v0 v2 v3', Infinity],
      ['are on the newest that is broken, too', { v1: well, v2: broken }, 'v2', Infinity],
      [
        'are on the newest that is broken and those that are newer; they cover so many old Pods',
        { v1: well, v2: well, v3: broken },
        'v3',
        3,
      ],
      ['go to the ones before when these are gone', { v1: well, v2: well }, 'v2', Infinity],
      ['cover those before the stable version as well', { v0: well, v1: well, v2: well, v3: broken }, 'v3', 6],
      ['are never on the stable version, broken or not', { v1: broken, v2: well }, 'v2', Infinity],
      ['are on none that is older than a broken stable version', { v0: well, v1: broken, v2: well }, 'v2', Infinity],
    ];
  rows(table, (old, marks, covers) => {
    const found = marksFor(viewOf(old));
    assert.deepEqual([names(found.sets), found.covers], [marks, covers]);
  });

  it('are in place when each is there, and no other', () => {
    const marked: Old = { ...well, marked: true };
    const inPlace = (old: Readonly<Record<string, Old>>): boolean => {
      const view = viewOf(old);
      return areInPlace(view, marksFor(view));
    };
    assert.equal(inPlace({ v1: well, v2: { pods: 3, marked: true } }), true);
    assert.equal(inPlace({ v1: well, v2: well }), false);
    assert.equal(inPlace({ v1: marked, v2: marked }), false);
    assert.equal(inPlace({ v1: well, v2: { pods: 0, marked: true } }), true, 'without Pods it does not matter');
    const view = viewOf({ v1: marked, v2: marked, v3: { pods: 0, marked: true } });
    assert.equal(names(markedTooMuch(view, marksFor(view))), 'v1');
  });
});
