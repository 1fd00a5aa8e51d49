// Views of objects that users write: bounded, and without control characters, whatever the objects contain.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Pod, Rollout } from '../../../src/api/types.ts';
import { batchesOf } from '../../../src/view/dashboard/batches.ts';
import { detailOf } from '../../../src/view/dashboard/detail.ts';
import { MOST_ROWS, overviewOf } from '../../../src/view/dashboard/overview.ts';
import { MOST_DOTS, podsOfRelease } from '../../../src/view/dashboard/pods.ts';
import { withPoints, type Plots } from '../../../src/view/dashboard/plots.ts';
import { line, LONGEST, text } from '../../../src/view/dashboard/text.ts';
import { ago, deployment, facts, NOW, pod, progressing, replicaSet, rollout } from '../support.ts';
import { around } from './support.ts';

/** Control characters but line feed, and characters that change the direction of writing. */
const HOSTILE = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** All texts of a view. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...textsIn(item)]);
}

const EVIL = `\u202eevil\x1b[2J\0<script>alert(1)</script>\n${'x'.repeat(5000)}\ud800`;

describe('texts of the dashboard', () => {
  it('are on one line, well-formed and at most as long as asked, whatever is written', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\u202e', '\x1b', '\n', '\t', '\u{1f600}', '\ud83d', 'a') }),
    );
    fc.assert(
      fc.property(hostile, fc.integer({ min: 1, max: 40 }), (value, longest) => {
        for (const shown of [text(value, longest), line(value)]) {
          assert.doesNotMatch(shown.replaceAll('\t', ''), HOSTILE);
          assert.ok(shown.isWellFormed());
        }
        assert.ok(text(value, longest).length <= longest, text(value, longest));
        assert.doesNotMatch(text(value, longest), /[\n\t]/);
      }),
    );
  });

  it('leave ordinary texts as they are', () => {
    const ordinary = 'step 1/3 done: waiting for approval (0 of 1) – „naïve“ 日本語 👍';
    assert.equal(text(ordinary), ordinary);
    assert.equal(text('ab', 2), 'ab');
    assert.equal(text('abc', 2), 'a…');
    assert.equal(text('a\u202eb'), 'a\\u202eb');
  });
});

describe('views of the dashboard', () => {
  it('contain no text that a user wrote but in plain characters and cut', () => {
    const template = deployment('v1').spec.template;
    const evil = {
      ...deployment(EVIL, {
        annotations: { 'tranche.dev/changed-by': EVIL },
        labels: { 'rollouts.kruise.io/rollout-id': EVIL },
      }),
    };
    const evilPod: Pod = { ...pod('v1', EVIL, { waits: EVIL }), spec: { nodeName: EVIL } };
    const status = progressing(
      {
        observedRolloutID: EVIL,
        analysis: [{ name: EVIL, verdict: EVIL as 'Open', since: EVIL, message: EVIL, acceptedBy: [EVIL] }],
        approvals: [{ step: 1, rolloutID: EVIL, revision: '', user: EVIL, time: ago(10) }],
      },
      {
        message: EVIL,
        history: [
          {
            ...{ rolloutID: EVIL, revision: EVIL, author: EVIL, startTime: EVIL, bypassed: EVIL },
            approvals: [{ step: 1, rolloutID: EVIL, revision: '', user: EVIL, time: EVIL }],
            brokenGlass: [{ user: EVIL, reason: EVIL, time: EVIL }],
            analysis: { [EVIL]: EVIL as 'Open' },
          },
        ],
      },
    );
    const analysis = [{ name: EVIL, condition: { apiVersion: EVIL, kind: EVIL, ok: EVIL } }];
    const steps = [{ replicas: EVIL }, { replicas: '50%' }, { replicas: '100%' }];
    const of = rollout(
      status,
      {
        workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: EVIL },
        strategy: { canary: { analysis, steps } },
      },
      { name: EVIL, namespace: EVIL },
    );
    const sets = [
      { ...replicaSet(EVIL, 1, 2), spec: { ...replicaSet(EVIL, 1).spec, template: evil.spec.template } },
      { ...replicaSet('v1', 3, 1), spec: { ...replicaSet('v1', 3).spec, template } },
    ];
    const policies = [{ metadata: { name: EVIL }, spec: { approval: { users: [EVIL], groups: [EVIL] } } }];
    const found = facts(of, evil, sets, [evilPod, pod('v1', 'web-v1-a')]);
    for (const view of [
      detailOf(found, around({ policies, gaps: [EVIL] })),
      overviewOf([{ rollout: of, workload: evil }], { namespace: EVIL, now: NOW }),
      detailOf({ ...found, deployment: undefined, view: undefined }, around()),
    ]) {
      const { key: _, ...row } = 'row' in view ? view.row : view.releases[0]!;
      for (const shown of textsIn({ ...view, row, releases: [row] })) {
        assert.doesNotMatch(shown, HOSTILE);
        assert.doesNotMatch(shown, /\n/);
        assert.ok(shown.length <= LONGEST.message, `${shown.length}: ${shown.slice(0, 80)}`);
      }
    }
  });

  const many = (count: number, available: (i: number) => boolean): Pod[] =>
    Array.from({ length: count }, (_, i) =>
      pod('v1', `web-v1-${i}`, available(i) ? {} : { waits: 'CrashLoopBackOff' }),
    );
  const atRest = rollout({ phase: 'Healthy', message: 'waiting for a change of the Pod template' });
  const sized = (replicas: number): ReturnType<typeof deployment> => {
    const base = deployment('v1', { labels: {} });
    return { ...base, spec: { ...base.spec, replicas } };
  };

  it('draw a bounded number of Pods, unavailable ones first, and count all of them', () => {
    const count = 3 * MOST_DOTS;
    const found = facts(
      atRest,
      sized(count),
      [replicaSet('v1', count)],
      many(count, (i) => i < count - 10),
    );
    const { batches } = batchesOf(found, podsOfRelease(found, NOW));
    const [batch] = batches;
    assert.equal(batch!.dots.pods.length, MOST_DOTS);
    assert.equal(batch!.dots.leftOut, count - MOST_DOTS);
    assert.deepEqual(batch!.dots.counts, {
      missing: 0,
      starting: 0,
      ready: 0,
      available: count - 10,
      failing: 10,
      leaving: 0,
    });
    assert.equal(batch!.dots.pods.filter(({ state }) => state === 'failing').length, 10);
  });

  it('draw a bounded number of Pods that do not exist', () => {
    for (const replicas of [MOST_DOTS + 7, 2 ** 31 - 1]) {
      const of = rollout(progressing({ currentStepState: 'StepUpgrade' }));
      const found = facts(
        of,
        { ...sized(replicas), metadata: deployment().metadata },
        [replicaSet('v1', replicas)],
        [],
      );
      const { batches } = batchesOf(found, podsOfRelease(found, NOW));
      const dots = batches.flatMap((batch) => batch.dots.pods);
      assert.ok(dots.length <= MOST_DOTS);
      assert.equal(
        batches.reduce((sum, { dots }) => sum + dots.pods.length + dots.leftOut, 0),
        replicas,
      );
    }
  });

  it('draw no Pods, and miss none, if the user may not read them', () => {
    const found = facts(atRest, sized(4), [replicaSet('v1', 4, 1)], []);
    const view = detailOf(found, around({ hidesPods: true }));
    const counts = { missing: 0, starting: 0, ready: 0, available: 0, failing: 0, leaving: 0 };
    assert.deepEqual(
      view.batches.map(({ dots }) => dots),
      [{ pods: [], leftOut: 0, counts }],
    );
    assert.equal(view.versions[0]!.available, 4, 'as the ReplicaSet says');
  });

  it('are bounded for 1,000 Pods of 253 characters, and for 1,000 Rollouts', () => {
    const long = many(1000, (i) => i % 2 === 0).map((one, i) => ({
      ...one,
      metadata: { ...one.metadata, name: `${'p'.repeat(248)}-${1000 + i}` },
      spec: { nodeName: 'n'.repeat(253) },
    }));
    const found = facts(atRest, sized(1000), [replicaSet('v1', 1000)], long);
    assert.ok(JSON.stringify(detailOf(found, around())).length < 1_000_000);
    const items = Array.from({ length: 1000 }, (_, i) => {
      const of = rollout(progressing({}, { message: 'm'.repeat(5000) }), {}, { name: `web-${i}` });
      return { rollout: of, workload: deployment() };
    });
    assert.ok(JSON.stringify(overviewOf(items, { namespace: undefined, now: NOW })).length < 1_500_000);
  });

  it('show a bounded number of rows, and say how many are left out', () => {
    const items = Array.from({ length: MOST_ROWS + 3 }, (_, i) => ({
      rollout: rollout(i === MOST_ROWS + 2 ? progressing() : {}, {}, { name: `web-${i}` }),
      workload: undefined,
    }));
    const { releases, leftOut, counts } = overviewOf(items, { namespace: 'shop', now: NOW });
    assert.deepEqual([releases.length, leftOut, counts.person, counts.rest], [MOST_ROWS, 3, 1, MOST_ROWS + 2]);
    assert.equal(releases[0]!.name, `web-${MOST_ROWS + 2}`, 'what waits for a person is never left out before others');
  });

  it('keep a bounded number of points of a check, the latest ones all', () => {
    let plots: Plots | undefined;
    for (let i = 0; i < 1000; i++) {
      const of = withEvidence(i);
      plots = withPoints(plots, of, NOW + i * 1000);
    }
    const points = plots!.points.get('errors')!;
    assert.ok(points.length <= 120);
    assert.deepEqual(
      points.slice(-3).map(({ value }) => value),
      [997, 998, 999],
    );
    assert.equal(points[0]!.value, 0, 'the first one stays');
    assert.equal(
      withPoints(plots, withEvidence(999), NOW + 2_000_000),
      plots,
      'the same numbers are not another point',
    );
    const other = withPoints(plots, withEvidence(5, 'another release'), NOW)!;
    assert.deepEqual(other.points.get('errors')!.length, 1);
    assert.equal(withPoints(plots, atRest, NOW), undefined);
  });
});

const withEvidence = (evidence: number, observedRolloutID = 'r1'): Rollout =>
  rollout(
    progressing({
      observedRolloutID,
      analysis: [{ name: 'errors', verdict: 'Open', since: ago(9), evidence, alarm: 200 }],
    }),
  );
