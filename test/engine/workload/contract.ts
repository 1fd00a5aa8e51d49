// The laws of the seam for workload kinds: whatever implements WorkloadKind is held to each of them.
import assert from 'node:assert/strict';
import { asDigest } from '../../support/digests.ts';
import { CHANGED_BY, GLASS_BROKEN, HELD, ROLLOUT_ID } from '../../../src/api/keys.ts';
import { PODS, type Resource } from '../../../src/api/resources.ts';
import type { HoldRecord, KubeObject, Workload } from '../../../src/api/types.ts';
import type { Effect } from '../../../src/engine/decision.ts';
import type { PatchOp } from '../../../src/engine/lib/json-patch.ts';
import type { Children } from '../../../src/engine/snapshot.ts';
import {
  effectsOf,
  type Goal,
  type Move,
  type Progress,
  type WorkloadKind,
} from '../../../src/engine/workload/kind.ts';
import type { Holding } from '../../../src/engine/workload/edits.ts';
import { HELD_ANNOTATIONS } from '../../../src/engine/workload/record.ts';
import { applyOps } from '../../support/json-patch.ts';
import { digest, healthy, NOW, rollout, template } from '../build.ts';

/** Pods of the new version, those of them that are available, and Pods of the old version: all available. */
export interface Sizes {
  readonly updated: number;
  readonly available: number;
  readonly old: number;
}

/** The user's own values of the fields that the kind borrows. */
export interface UserSettings {
  readonly what: string;
  /** Laid over the spec of the workload. */
  readonly spec: object;
  /** The user wants nothing released. */
  readonly paused?: true;
}

/** What the laws need to know about a kind that the kind itself does not tell. */
export interface Bench<W extends Workload, H extends HoldRecord, P extends Progress> {
  readonly kind: WorkloadKind<W, H, P>;
  /** Of all sorts: each field absent, 0, a number, a percent, whatever the API server lets be stored. The first is the usual one. */
  readonly users: readonly UserSettings[];
  /**
   * As the API server would store it: `template(version)` of build.ts, a name, a namespace, uid, resourceVersion and generation, and at rest in the eyes
   * of its controller. The user's fields lie in the objects that hold them, which are there even when they are empty.
   */
  workload(version: string, replicas: number, user: UserSettings): W;
  /** What its controller has made of the workload once there are so many Pods and it has seen all: children, and the workload with its status. */
  settled(workload: W, sizes: Sizes): { readonly workload: W; readonly children: Children };
  /** Pods of the new version that its controller would go to with none of them available; 0 while it replaces none. */
  granted(workload: W): number;
  /** Kinds of the children that may be patched, beside Pods. */
  readonly children: readonly Resource[];
  /** It is moved by evictions of its Pods, one in each move, and not by writes of the workload. */
  readonly evicts?: true;
}

const REPLICAS = 10;
const RUBBISH = ['', '{', 'null', '[]', '7', '"x"', '{"v":2}', '{"v":1}', '{"v":1,"rollout":"r","stable":"s"}'];
const MORE_RUBBISH = ['{"v":1,"rollout":7,"stable":"s","user":{}}', '{"v":1,"rollout":"r","stable":"../s","user":{}}'];
const known = { now: NOW, rollout: rollout({ status: healthy('v1') }), digest };
const HOLD = { rollout: 'web-rollout', stable: asDigest('v1'), bypassed: 'no webhook saw it' };

export function contract<W extends Workload, H extends HoldRecord, P extends Progress>(
  name: string,
  bench: Bench<W, H, P>,
): void {
  const { kind, users } = bench;
  const facts = { ...known, ...(bench.evicts && { evicts: true }) };
  const [usual] = users;
  assert.ok(usual, 'a bench has users');

  /** The object with the effect in it; a law is broken where the effect is about anything else, or carries no version. */
  function applied<T extends KubeObject>(object: T, effect: Effect): T {
    assert.ok(effect.kind === 'Patch', `${effect.why}: a kind only patches`);
    assert.equal(effect.before.metadata.uid, object.metadata.uid, `${effect.why}: of another object`);
    assert.equal(
      effect.before.metadata.resourceVersion,
      object.metadata.resourceVersion,
      `${effect.why}: decided on what is no longer so`,
    );
    const { patch } = effect;
    assert.equal(versionIn(patch), object.metadata.resourceVersion, `${effect.why}: without the resourceVersion`);
    const next = 'metadata' in patch ? (merged(object, patch) as T) : applyOps(object, patch);
    const { generation = 0 } = object.metadata;
    const changed =
      JSON.stringify((next as Partial<Workload>).spec) !== JSON.stringify((object as Partial<Workload>).spec);
    const resourceVersion = String(Number(object.metadata.resourceVersion) + 1);
    return {
      ...next,
      metadata: { ...next.metadata, resourceVersion, generation: changed ? generation + 1 : generation },
    };
  }

  /** What admission makes of an edit that brings the template of `next`. */
  const admitted = (next: W): Holding<H> => {
    const { replicas = 1 } = next.spec;
    const edit = { next, fieldManager: 'kubectl' };
    return kind.edits.holdFirst(edit, bench.workload('v1', replicas, usual), undefined, {
      rollout: facts.rollout,
      stable: HOLD.stable,
    });
  };
  const withRecord = (workload: W, held: H): W => {
    const { annotations, labels } = kind.edits.metadataOf(held);
    const all = { ...workload.metadata.labels, ...(labels as Record<string, string>) };
    return { ...workload, metadata: { ...workload.metadata, annotations, labels: all } };
  };

  const allApplied = (workload: W, effects: readonly Effect[]): W =>
    effects.reduce((object, effect) => applied(object, effect), workload);

  /** A new template that nobody has held, of a user with these settings. */
  const changed = (user: UserSettings = usual, replicas = REPLICAS): W => bench.workload('v2', replicas, user);
  const hold = (workload: W): W => allApplied(workload, kind.holdNow(workload, HOLD));
  const holdOn = (workload: W): H => {
    const held = kind.readHold(workload);
    assert.ok(held, 'it is held');
    return held;
  };
  const progressOf = (workload: W, sizes: Sizes): P => {
    const { workload: seen, children } = bench.settled(workload, sizes);
    return kind.progress(facts, seen, children);
  };
  /** The workload after a move; undefined when the move was about a child, or there was none. */
  const after = (progress: P, move: Move | undefined): W | undefined => {
    const [effect] = effectsOf(move);
    if (effect === undefined) return undefined;
    if (effect.kind === 'Evict' && bench.evicts) {
      assert.ok(progress.updated + progress.old > 0 && !progress.pods.includes(effect.pod), 'a Pod of the new version');
      assert.ok(effect.pod.metadata.uid && effect.pod.metadata.resourceVersion, 'which Pod, and in which state');
      return undefined;
    }
    assert.ok(effect.kind === 'Patch');
    if (effect.before.metadata.uid === progress.workload.metadata.uid) {
      assert.equal(effect.resource, kind.resource);
      return applied(progress.workload as W, effect);
    }
    assert.ok([...bench.children, PODS].includes(effect.resource), 'a write of something that is no child');
    applied(effect.before, effect);
    return undefined;
  };
  /** Moves until there is nothing to do, or a child is to do something. `each`: the workload after each move. */
  const moved = (
    start: W,
    sizes: Sizes,
    next: (progress: P, held: H) => Move | undefined,
    each: (workload: W) => void = () => undefined,
  ): { readonly workload: W; readonly move: Move | undefined } => {
    let workload = start;
    for (let moves = 0; moves < 10; moves++) {
      const progress = progressOf(workload, sizes);
      const held = kind.readHold(workload);
      if (held === undefined) return { workload, move: undefined };
      const move = next(progress, held);
      const then = after(progress, move);
      if (then === undefined) return { workload, move };
      each((workload = then));
    }
    return assert.fail('moves without end');
  };
  const goalOf = (target: number): Goal => ({
    target,
    tolerated: 0,
    keeps: false,
    last: target >= REPLICAS,
    goesOn: false,
    young: true,
  });
  const begun: Sizes = { updated: 0, available: 0, old: REPLICAS };

  describe(`${name}, as a workload kind`, () => {
    for (const user of users)
      describe(`of a user with ${user.what}`, () => {
        it('reads back what a hold wrote', () => {
          const workload = changed(user);
          const held = holdOn(hold(workload));
          const { rollout: by, stable, bypassed } = held;
          assert.deepEqual({ rollout: by, stable, bypassed }, HOLD);
          assert.deepEqual({ ...held.user }, kind.borrowed(workload), 'the user’s own values');
          assert.deepEqual(progressOf(hold(workload), begun).held, held);
        });

        it('is given back byte for byte, from at rest and from the middle of a step', () => {
          const workload = changed(user);
          const resting = hold(workload);
          const moving = moved(resting, begun, (progress, held) => kind.advance(progress, held, goalOf(5))).workload;
          for (const holding of [resting, moving]) {
            const back = (workload: W, sizes: Sizes): W =>
              moved(workload, sizes, (progress, held) => kind.giveBack(progress, held)).workload;
            // Its controller may have to finish first.
            const given = back(back(holding, begun), { updated: REPLICAS, available: REPLICAS, old: 0 });
            assert.deepEqual(given.spec, workload.spec);
            assertFree(given);
            const up = allApplied(holding, kind.giveUp(holding, holdOn(holding), {}));
            assert.deepEqual(up.spec, workload.spec);
            assertFree(up);
          }
        });

        it('is held by admission so that it is read back, and given back byte for byte', () => {
          const next = changed(user);
          const { held, borrowed } = admitted(next);
          const holding = withRecord(applyOps(next, kind.edits.patch(next, borrowed)), held);
          assert.deepEqual(kind.borrowed(holding), borrowed);
          assert.deepEqual(holdOn(holding), held);
          assert.deepEqual({ ...held.user }, kind.borrowed(next), 'the user’s own values');
          assert.equal(bench.granted(holding), 0);
          assert.deepEqual(kind.edits.patch(holding, borrowed), [], 'asked again, it changes nothing');
          const given = applyOps(holding, kind.edits.patch(holding, { ...held.user }));
          assert.deepEqual(given.spec, next.spec);
        });

        it('keeps its hold and its record in an edit of something else', () => {
          const next = changed(user);
          const { held, borrowed } = admitted(next);
          const old = withRecord(applyOps(next, kind.edits.patch(next, borrowed)), held);
          assert.deepEqual(kind.edits.heldBefore(old), held);
          const how = { changed: false, dropped: [] };
          const edit = kind.edits.editOfHeld({ next: old, fieldManager: 'kubectl' }, old, held, how);
          assert.deepEqual([edit.before, edit.after, edit.unpauses], [held, held, false]);
          assert.deepEqual(kind.edits.holdOn(old, edit), { held, borrowed });
        });

        it('knows whether its user has paused it', () => {
          assert.equal(kind.isPaused(holdOn(hold(changed(user)))), user.paused === true);
        });

        it('finds no edit where there was none', () => {
          const resting = hold(changed(user));
          const moving = moved(resting, begun, (progress, held) => kind.advance(progress, held, goalOf(5))).workload;
          for (const holding of [resting, moving])
            assert.equal(kind.noticeEdits(progressOf(holding, begun), holdOn(holding)), undefined);
        });
      });

    const assertFree = (workload: W): void => {
      assert.equal(kind.readHold(workload), undefined);
      const { annotations = {} } = workload.metadata;
      assert.deepEqual(
        Object.keys(annotations).filter((key) => HELD_ANNOTATIONS.some((one) => one === key)),
        [],
      );
    };

    it('is given back without the mark of broken glass, which is good for one release', () => {
      const { workload } = moved(hold(changed()), begun, (progress, held) => kind.advance(progress, held, goalOf(5)));
      const { annotations } = workload.metadata;
      const broken = {
        ...workload,
        metadata: { ...workload.metadata, annotations: { ...annotations, [GLASS_BROKEN]: '{}' } },
      };
      const back = (of: W, sizes: Sizes): W =>
        moved(of, sizes, (progress, held) => kind.giveBack(progress, held)).workload;
      const given = back(back(broken, begun), { updated: REPLICAS, available: REPLICAS, old: 0 });
      const up = allApplied(broken, kind.giveUp(broken, holdOn(broken), {}));
      for (const free of [given, up]) assert.equal(free.metadata.annotations?.[GLASS_BROKEN], undefined);
    });

    it('may be released: nothing is in the way of it', () => {
      assert.equal(kind.obstacle(changed()), undefined);
    });

    it('has as many replicas as its user wrote', () => {
      for (const replicas of [0, 1, 7]) assert.equal(kind.replicas(changed(usual, replicas)), replicas);
    });

    it('says how far a release is, and knows when its controller has seen everything', () => {
      const progress = progressOf(hold(changed()), { updated: 4, available: 3, old: 6 });
      const { replicas, updated, available, old, unsettled, stopped, moving } = progress;
      const expected = {
        replicas: REPLICAS,
        updated: 4,
        available: 3,
        old: 6,
        unsettled: undefined,
        stopped: true,
        moving: false,
      };
      assert.deepEqual({ replicas, updated, available, old, unsettled, stopped, moving }, expected);
      assert.equal(progress.pods.length, 4);
      assert.deepEqual(
        [progress.newVersion, progress.stableVersion].map((one) => one && digest(one.template)),
        ['v2', 'v1'],
      );
      assert.deepEqual(
        progress.oldVersions.filter(({ replicas: pods }) => pods > 0).map(({ replicas: pods }) => pods),
        [6],
      );
    });

    it('is read as not held, and nothing throws, whatever its annotation holds', () => {
      for (const text of [...RUBBISH, ...MORE_RUBBISH]) {
        const free = changed();
        const workload = { ...free, metadata: { ...free.metadata, annotations: { [HELD]: text } } };
        assert.equal(kind.readHold(workload), undefined, text);
        assert.equal(kind.isStale(progressOf(workload, begun)), true, text);
      }
    });

    it('is neither stale nor loose while it is held', () => {
      const progress = progressOf(hold(changed()), begun);
      assert.deepEqual([kind.isStale(progress), kind.isLoose(progress)], [false, false]);
    });

    it('is never granted more than the step asks for, or it has', () => {
      for (const user of users)
        for (const target of [0, 1, 5, 10])
          for (const updated of [0, 1, 4, 5])
            for (const available of new Set([0, Math.max(0, updated - 1), updated])) {
              const sizes = { updated, available, old: REPLICAS - updated };
              const most = Math.max(target, updated);
              moved(
                hold(changed(user)),
                sizes,
                (progress, held) => {
                  const move = kind.advance(progress, held, goalOf(target));
                  const evicts = effectsOf(move).some((effect) => effect.kind === 'Evict');
                  assert.ok(!evicts || updated < most, `${user.what}: ${JSON.stringify(sizes)} to ${target}: evicts`);
                  return move;
                },
                (workload) => {
                  const what = `${user.what}: ${JSON.stringify(sizes)} to ${target}`;
                  assert.ok(bench.granted(workload) <= most, `${what}: ${bench.granted(workload)} granted`);
                },
              );
            }
    });

    it('is granted something where a step asks for more', () => {
      const to = (progress: P, held: H): Move => kind.advance(progress, held, goalOf(5));
      const { workload, move } = moved(hold(changed()), begun, to);
      if (bench.evicts)
        return assert.deepEqual(
          effectsOf(move).map(({ why }) => why),
          ['evict'],
        );
      assert.ok(bench.granted(workload) > 0);
      assert.equal(progressOf(workload, begun).moving, true);
    });

    it('is done at rest with enough Pods available, and waits with fewer', () => {
      for (const user of users.filter(({ paused }) => paused !== true))
        for (const target of [1, 5, 9]) {
          const old = REPLICAS - target;
          const reached = (available: number): Move | undefined =>
            moved(hold(changed(user)), { updated: target, available, old }, (progress, held) =>
              kind.advance(progress, held, goalOf(target)),
            ).move;
          assert.equal(reached(target)?.kind, 'Done', `${user.what}: ${target}`);
          assert.equal(reached(target - 1)?.kind, 'Wait', `${user.what}: ${target}`);
        }
    });

    it('is frozen once: at rest its spec stays as it is, in the middle of a step it is stopped, and then there is nothing to do', () => {
      const resting = hold(changed());
      const { workload } = moved(resting, begun, (progress, held) => kind.advance(progress, held, goalOf(5)));
      for (const before of [resting, workload]) {
        const progress = progressOf(before, begun);
        const frozen = after(progress, kind.freeze(progress, holdOn(before)));
        assert.ok(frozen !== undefined || before === resting);
        if (before === resting) assert.deepEqual((frozen ?? before).spec, before.spec);
        const then = frozen ?? before;
        assert.deepEqual([bench.granted(then), progressOf(then, begun).stopped], [0, true]);
        assert.equal(kind.freeze(progressOf(then, begun), holdOn(then)), undefined);
      }
    });

    it('gets the stable template back whole, and stays held', () => {
      const held = hold(changed());
      const record = { ...holdOn(held), reverted: 'generation 5' };
      // What only the new template has is gone, too: a merge patch would have kept it.
      const spec = { ...held.spec, template: template('v2', { only: 'new' }) };
      for (const by of [undefined, record]) {
        const back = applied({ ...held, spec } as W, kind.revert({ ...held, spec } as W, template('v1'), by));
        assert.deepEqual(back.spec.template, template('v1'));
        assert.deepEqual(kind.readHold(back), by ?? holdOn(held));
        assert.deepEqual([bench.granted(back), progressOf(back, begun).stopped], [0, true]);
      }
    });

    it('that slipped past the webhook is held where it stands, with its release’s id', () => {
      const free = changed();
      const progress = progressOf(free, { updated: 2, available: 1, old: 8 });
      const held = allApplied(
        progress.workload as W,
        kind.holdUnseen(progress, { ...HOLD, unfinished: false, labels: { [ROLLOUT_ID]: 'r9' } }),
      );
      assert.deepEqual({ ...holdOn(held).user }, kind.borrowed(free));
      assert.deepEqual([holdOn(held).bypassed, holdOn(held).stable], [HOLD.bypassed, 'v1']);
      assert.equal(held.metadata.labels?.[ROLLOUT_ID], 'r9');
      assert.ok(bench.granted(held) <= 2);
      assert.equal(progressOf(held, begun).stopped, true);
    });

    it('without a record is let go with its labels taken off, and its spec as it is', () => {
      const free = changed();
      const marked = { ...free, metadata: { ...free.metadata, annotations: { [CHANGED_BY]: 'anna' } } };
      const left = allApplied(marked, kind.leave(marked, { annotations: { [CHANGED_BY]: null } }));
      assert.deepEqual([left.spec, left.metadata.annotations], [free.spec, {}]);
      assert.deepEqual(kind.leave(left, { annotations: { [CHANGED_BY]: null } }), []);
    });

    it('is rolled out when all its Pods are new and, but for those tolerated, available', () => {
      const settled = (updated: number, available: number, tolerated: number): boolean =>
        kind.isSettled(progressOf(changed(), { updated, available, old: REPLICAS - updated }), tolerated);
      assert.equal(settled(10, 10, 0), true);
      assert.equal(settled(10, 9, 0), false);
      assert.equal(settled(10, 9, 1), true);
      assert.equal(settled(9, 9, 10), false);
    });

    it('keeps the owners of exactly the fields that it borrows', () => {
      const borrowed = Object.keys(kind.borrowed(changed())).toSorted();
      const all = kind.fields.readOwners(kind.fields.ownersNow([ownerOfEverything], undefined) ?? undefined);
      assert.deepEqual(
        all.map(({ manager }) => manager),
        ['helm'],
      );
      assert.deepEqual(all[0]!.fields.toSorted(), borrowed);
      const values = Object.fromEntries(borrowed.map((field) => [field, 1]));
      const entries = kind.fields.withOwners([], all, values, '2026-01-01T00:00:00Z');
      assert.deepEqual(
        kind.fields.readOwners(kind.fields.ownersNow(entries, undefined) ?? undefined),
        all,
        'found where they were put',
      );
    });

    it('knows a hold of OpenKruise by the same field, and what to restore after it', () => {
      const { openKruise } = kind;
      if (openKruise === undefined) return;
      const workload = changed();
      assert.deepEqual([openKruise.holds(workload), openKruise.holds(hold(workload))], [false, true]);
      const user = openKruise.user(hold(workload), undefined);
      assert.deepEqual(Object.keys(user).toSorted(), Object.keys(kind.borrowed(workload)).toSorted());
      const given = applyOps(hold(workload), kind.edits.patch(hold(workload), user));
      assert.equal(openKruise.holds(given), false);
      if (openKruise.known !== true) assert.equal(openKruise.user(workload, 2)['partition'], 2);
    });

    it('has words for each borrowed field, and for how its user pauses and resumes it', () => {
      const { words } = kind;
      const workload = changed();
      const borrowed = Object.keys(kind.borrowed(workload)).toSorted();
      assert.deepEqual(Object.keys(words.fields).toSorted(), borrowed);
      for (const [field, path] of Object.entries(words.fields)) assert.match(path, /^spec\./, field);
      assert.ok(borrowed.includes(words.pausedBy));
      for (const field of words.recorded) assert.ok(borrowed.includes(field), field);
      assert.ok(words.pause.startsWith(words.fields[words.pausedBy]!), 'it names the field');
      assert.match(words.strategyType, /^spec\..*\.type$/);
      const { name, namespace } = workload.metadata;
      const command = words.resume(workload);
      for (const part of ['kubectl ', name, `-n ${namespace}`]) assert.ok(command.includes(part), command);
      const { kind: noun } = kind.resource;
      for (const text of [words.resumed, kind.whyNoVersion(workload).what]) assert.match(text, /\S/);
      assert.ok(words.resumed.includes(noun));
    });

    it('knows the Pods of its versions, and no others', () => {
      const { workload, children } = bench.settled(hold(changed()), { updated: 4, available: 4, old: 6 });
      const { newVersion, stableVersion } = kind.progress(facts, workload, children);
      const podsOf = (version: typeof newVersion): number => kind.podsOf(workload, version!, children.pods).length;
      assert.deepEqual([podsOf(newVersion), podsOf(stableVersion)], [4, 6]);
      const other = { ...workload, metadata: { ...workload.metadata, uid: 'uid-of-another' } };
      const foreign = kind.progress(facts, other, children);
      assert.deepEqual([foreign.updated, foreign.old, foreign.pods.length], [0, 0, 0]);
    });

    it('says what a step costs at most: nothing where it brings nothing, never less than nothing', () => {
      const { worst } = kind.spending(changed(), REPLICAS);
      assert.deepEqual(worst(5, 5), { surge: 0, unavailable: 0 });
      for (const [from, target] of [
        [0, 1],
        [1, 5],
        [5, 10],
      ] as const)
        assert.ok(Object.values(worst(from, target)).every((pods) => pods >= 0 && pods <= REPLICAS));
    });

    it('has something to say where no version is made', () => {
      assert.notEqual(kind.whyNoVersion(changed()).what, '');
    });
  });
}

/** Of any path at all. */
const everything: object = new Proxy(
  {},
  {
    get: () => everything,
    getOwnPropertyDescriptor: () => ({ value: everything, configurable: true, enumerable: true }),
  },
);
const ownerOfEverything = { manager: 'helm', operation: 'Apply', apiVersion: 'apps/v1', fieldsV1: everything };

function versionIn(patch: { readonly metadata: Readonly<Record<string, unknown>> } | readonly PatchOp[]): unknown {
  if ('metadata' in patch) return patch.metadata['resourceVersion'];
  const op = patch.find(({ path }) => path === '/metadata/resourceVersion');
  return op && 'value' in op ? op.value : undefined;
}

/** RFC 7386. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(typeof target === 'object' ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
