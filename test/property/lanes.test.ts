// A TrafficRouting as a property: the program is killed at each of its writes, and the route is its user's at the end.
import assert from 'node:assert/strict';
import type { OperatorDeps } from '../../src/operator/operator.ts';
import * as broken from './lane-broken.ts';
import { ACTS, playLane, type LaneStory } from './lanes.ts';
import { settings } from './settings.ts';

const isSoak = settings.histories >= 1_000;
/** A crash before a write finds the cluster as a crash after the write before it, except for what users did meanwhile. */
const FAULTS = isSoak ? (['crash-after', 'crash-before'] as const) : (['crash-after'] as const);
/** In a long outage, users do what they do while nobody decides. */
const OUTAGES_MS = [500, 30_000] as const;

/** `strides`: which writes by default, for each outage, from one on that depends on the seed. In a soak, each one. */
async function atEachWrite(story: LaneStory, strides: readonly [number, number]): Promise<void> {
  const { writes, problems, changed, story: told } = await playLane(story);
  assert.deepEqual(problems, [], told());
  assert.ok(writes > 20 && changed > 0, `${writes} writes, ${changed} states with the rules`);
  for (const fault of FAULTS)
    for (const [index, downMs] of OUTAGES_MS.entries()) {
      const stride = isSoak ? 1 : strides[index]!;
      for (let write = 1 + (settings.firstSeed % stride); write <= writes; write += stride) {
        const report = await playLane({ ...story, crash: { write, fault, downMs } });
        assert.deepEqual(report.problems, [], `${fault} of write ${write}, for ${downMs} ms\n${report.story()}`);
      }
    }
}

describe('a crash at each write of a release with a TrafficRouting', () => {
  for (const act of ACTS)
    it(`leaves the route as its user wrote it, and no finalizer: ${act}`, () => atEachWrite({ act }, [3, 8]));
});

describe('a crash at writes of a release with a TrafficRouting and traffic of its own', () => {
  for (const act of ['nothing', 'rollback', 'delete both'] as const)
    it(`fails no request, and leaves nothing behind: ${act}`, () => atEachWrite({ act, shares: true }, [6, 9]));
});

describe('the crash suite of TrafficRoutings itself', () => {
  const engines: readonly (readonly [
    what: string,
    engine: NonNullable<OperatorDeps['decideRouting']>,
    found: string,
    more?: Partial<LaneStory>,
  ])[] = [
    ['requests that go elsewhere', broken.stray, 'L1'],
    ['an edit of the user that is lost', broken.forgetful, 'L2', { act: 'edit the route' }],
    ['a finalizer that goes before the route is given back', broken.eager, 'L3'],
    ['a route that is changed before the status names it', broken.rash, 'L3'],
    ['a Service that is made', broken.generous, 'L4'],
    ['a route that is kept', broken.clinging, 'L5'],
    ['a TrafficRouting that does nothing', broken.idle, 'L6'],
  ];

  it('has a broken engine for each invariant', () => {
    const found = [...new Set(engines.map(([, , invariant]) => invariant))];
    assert.deepEqual(found, ['L1', 'L2', 'L3', 'L4', 'L5', 'L6']);
  });
  it('finds out an engine that is right but for a crash: L5', async () => {
    const broke = { act: 'nothing', decideRouting: broken.untidy } as const;
    const { problems, writes } = await playLane(broke);
    assert.deepEqual(problems, []);
    const found: string[] = [];
    for (let write = 1; write <= writes; write++)
      found.push(...(await playLane({ ...broke, crash: { write, fault: 'crash-after', downMs: 500 } })).problems);
    assert.ok(found.some((problem) => problem.includes('L5: ')));
  });
  for (const [what, decideRouting, found, more] of engines)
    it(`finds out ${what}: ${found}`, async () => {
      const { problems, story } = await playLane({ act: 'nothing', decideRouting, ...more });
      assert.ok(
        problems.some((problem) => problem.includes(`${found}: `)),
        story(),
      );
    });
});
