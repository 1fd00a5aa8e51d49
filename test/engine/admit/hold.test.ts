// What an edit does to the five fields that are borrowed from a Deployment.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import { editedFields, enrolment, freed, ownersNote, withoutForeignHold } from '../../../src/engine/admit/hold.ts';
import { deploymentEdits as edits } from '../../../src/engine/workload/deployment/edits.ts';
import { deploymentKind as kind } from '../../../src/engine/workload/deployment/kind.ts';
import { MARK, readHeld, settingsOf, withSettings, writeHeld } from '../../../src/engine/workload/deployment/hold.ts';
import type { Held } from '../../../src/api/types.ts';
import type { Context } from '../../../src/engine/admit/edit.ts';
import { annotated, contextFor, demo, digestOf, disabled, held, web, withSpec, withVersion } from './support.ts';

const running = held();
const record = readHeld(running)!;
const limits = (maxSurge: number | string, maxUnavailable: number | string) => ({
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
});

const editOf = (context: Context, old: typeof running, before: Held) =>
  edits.editOfHeld(context, old, before, { changed: context.changed, dropped: context.owned(old).dropped });

describe('the hold of a Deployment, begun', () => {
  it('keeps the user’s settings, what is stable, and a budget for nothing', () => {
    const next = withSpec(withVersion(web('v1'), 'v2'), limits(2, 0));
    const by = { rollout: demo(), stable: digestOf(web('v1')) };
    const { held: begun, borrowed: settings } = edits.holdFirst({ next, fieldManager: '' }, web('v1'), undefined, by);
    assert.deepEqual(begun.user, settingsOf(next), 'settings of the same edit are the user’s');
    assert.equal(begun.stable, digestOf(web('v1')));
    assert.deepEqual([settings['paused'], settings['maxSurge'], settings['maxUnavailable']], [true, 0, 1]);
  });

  it('enrols where a Rollout governs', () => {
    assert.deepEqual(enrolment(kind, demo()), { [keys.WORKLOAD_TYPE]: 'deployment' });
    assert.deepEqual([enrolment(kind, disabled()), enrolment(kind, undefined)], [{}, {}]);
  });
});

describe('an edit of a held Deployment', () => {
  const edit = (next: typeof running, old = running) => {
    const before = edits.heldBefore(old)!;
    return editOf(contextFor(old, next), old, before);
  };

  it('of a borrowed field is an edit of the user’s setting, and ours stays in force', () => {
    const found = edit(withSpec(running, limits('50%', 1)));
    assert.deepEqual([found.after.user.maxSurge, editedFields(found)], ['50%', ['maxSurge']]);
    assert.deepEqual(edits.holdOn(running, found).borrowed, settingsOf(running));
  });

  it('that pauses it is the user’s pause; that un-pauses it is known', () => {
    assert.equal(edit(withSpec(running, { paused: false })).unpauses, true);
    assert.equal(edit(running).unpauses, false);
    assert.deepEqual(editedFields(edit(running)), []);
  });

  it('at rest puts minReadySeconds in force at once', () => {
    const found = edit(withSpec(running, { minReadySeconds: 7 }));
    assert.equal(edits.holdOn(running, found).borrowed['minReadySeconds'], 7);
  });

  it('while it moves is noted, and a new template stops it', () => {
    const moving = withSpec(running, withSettings(running.spec, { ...settingsOf(running), ...MARK, paused: false }));
    assert.equal(edit(withVersion(moving, 'v3'), moving).paused, true);
    assert.equal(edit(withSpec(moving, { replicas: 20 }), moving).paused, false);
  });

  it('that applies a field no longer leaves it to Kubernetes’ default', () => {
    const argocd = (...paths: string[]) => [
      {
        manager: 'argocd',
        operation: 'Apply',
        apiVersion: 'apps/v1',
        fieldsV1: { 'f:spec': Object.fromEntries(paths.map((path) => [path, {}])) },
      },
    ];
    const note = '[{"manager":"argocd","operation":"Apply","apiVersion":"apps/v1","fields":["minReadySeconds"]}]';
    const owned = (managedFields: object[]) => {
      const deployment = annotated(running, { [keys.FIELD_OWNERS]: note });
      return { ...deployment, metadata: { ...deployment.metadata, managedFields } } as typeof running;
    };
    const [old, next] = [owned(argocd('f:minReadySeconds')), owned(argocd('f:template'))];
    const user = { ...record.user, minReadySeconds: 7 };
    const context = contextFor(old, next, demo(), {}, 'argocd');
    assert.equal(editOf(context, old, { ...record, user }).after.user.minReadySeconds, null);
    const stays = contextFor(old, old, demo(), {}, 'argocd');
    assert.equal(editOf(stays, old, { ...record, user }).after.user.minReadySeconds, 7);
  });

  it('that nobody saw counts as well', () => {
    const unseen = withSpec(running, limits('30%', 1));
    assert.equal(edits.heldBefore(unseen)?.user.maxSurge, '30%');
    assert.equal(edits.heldBefore(web('v1')), undefined);
  });
});

describe('a Deployment that is given back', () => {
  it('is as its user wrote it, with its enrolment and the id of its last release', () => {
    const { [keys.ROLLOUT_ID]: id } = running.metadata.labels!;
    const next = { ...running, metadata: { ...running.metadata, labels: { app: 'web' } } };
    const wanted = freed(contextFor(running, next), running, record, 'alice');
    assert.deepEqual(wanted.borrowed, record.user);
    assert.deepEqual(wanted.labels, {
      [keys.WORKLOAD_TYPE]: 'deployment',
      [keys.ROLLOUT_ID]: id,
      [keys.STABLE_REVISION]: null,
      [keys.BUDGET]: null,
    });
    assert.deepEqual([wanted.annotations?.[keys.HELD], wanted.annotations?.[keys.CHANGED_BY]], [null, 'alice']);
  });
});

describe('a manifest that was exported in the middle of a release', () => {
  it('loses our record, and gets the user’s settings in it', () => {
    const wanted = withoutForeignHold(kind, web('v1'), running);
    assert.deepEqual([wanted.annotations?.[keys.HELD], wanted.borrowed], [null, record.user]);
  });

  it('loses our budget, also without the record', () => {
    const labels = { ...web('v1').metadata.labels, [keys.BUDGET]: 'surge-1.unavailable-1' };
    const next = web('v1', {}, { labels });
    for (const old of [undefined, web('v1'), next])
      assert.equal(withoutForeignHold(kind, old, next).labels?.[keys.BUDGET], null);
  });

  it('keeps a record that was there before', () => {
    const odd = annotated(web('v1'), { [keys.HELD]: '{' });
    const { annotations, labels } = withoutForeignHold(kind, odd, odd);
    assert.deepEqual([annotations?.[keys.HELD], labels], [undefined, undefined]);
  });

  for (const [before, expected] of [
    ['true', true],
    ['false', null],
  ] as const) {
    it(`paused by the API server itself, which was ${before} before, is as it was`, () => {
      const next = annotated(withSpec(web('v2'), { paused: true }), { [keys.PAUSED_UNSEEN]: before });
      assert.equal(withoutForeignHold(kind, web('v1'), next).borrowed?.['paused'], expected);
    });
  }
});

describe('who owned a borrowed field', () => {
  const manager = (name: string) => [
    { manager: name, operation: 'Apply', apiVersion: 'apps/v1', fieldsV1: { 'f:spec': { 'f:minReadySeconds': {} } } },
  ];
  const owned = (name: string) => {
    const deployment = web('v1');
    return { ...deployment, metadata: { ...deployment.metadata, managedFields: manager(name) } } as typeof deployment;
  };

  it('is noted while it is held, and not before', () => {
    const context = contextFor(owned('argocd'), withVersion(owned('argocd'), 'v2'));
    const note = ownersNote(context, { annotations: { [keys.HELD]: writeHeld(record) } });
    assert.match(note ?? '', /"manager":"argocd".*"minReadySeconds"/);
    assert.equal(ownersNote(context, {}), null);
    assert.equal(ownersNote(contextFor(undefined, web('v1')), {}), null);
  });
});
