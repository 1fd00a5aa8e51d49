// What to do with an edit of a Deployment, decided at admission: hold it, roll it back at once, keep the hold, or let it pass.
import * as keys from '../../api/keys.ts';
import type { BrokenGlass } from '../../api/policy.ts';
import type { Deployment, Held, Rollout } from '../../api/types.ts';
import { recordTooLarge } from '../workload/annotation-size.ts';
import {
  FIELDS,
  firstHold,
  freedSettings,
  heldAnnotations,
  isMarked,
  isMoving,
  mayFreeAtOnce,
  noticeEdits,
  parseHeld,
  readHeld,
  settingsOf,
  surgeWhenPaused,
  takeOver,
  withoutFields,
  type Settings,
} from '../workload/deployment/hold.ts';
import { HELD_ANNOTATIONS } from '../workload/record.ts';
import { ownersAfter, readOwners, type Field } from '../workload/deployment/field-owners.ts';
import { writeOwners, type Owned } from '../workload/field-owners.ts';
import { patchFor, type PatchOp, type Wanted } from './patch.ts';
import { traceOf, untraced } from './trace.ts';
import * as words from './messages.ts';
import { isLeftBehind, tracesOf } from '../release/openkruise.ts';
import { isUsedId } from '../release/release-id.ts';
import { sameTemplate, templateDigest, type Sha256 } from '../lib/template.ts';
import { isTrusted } from '../release/stable.ts';
import type { Tracing } from '../trace/trace.ts';
import type { Violation } from '../validate/violation.ts';

export interface Edit {
  readonly operation: 'CREATE' | 'UPDATE';
  /** Undefined on CREATE. */
  readonly old: Deployment | undefined;
  /** The object as the API server sent it. */
  readonly next: Deployment;
  /** `userInfo.username` of the review. */
  readonly user: string;
  /** `options.fieldManager` of the review; "" when there is none. */
  readonly fieldManager: string;
  /** Both objects' metadata.managedFields, where the objects have been read without them. */
  readonly managedFields?: { readonly old: () => unknown; readonly next: () => unknown };
}

export interface InterceptOptions {
  /** The username the operator's own requests carry. */
  readonly operatorUser: string;
  readonly sha256: Sha256;
  /** This edit goes past policy: to be noted on the Deployment. */
  readonly glass?: BrokenGlass | undefined;
  /** Releases are traced. */
  readonly tracing?: Tracing | undefined;
}

export type Verdict =
  /** Nothing to do with us, or nothing to change. */
  | 'Passed'
  /** A Deployment that a Rollout names got its label. */
  | 'Enrolled'
  /** A release begins: held. */
  | 'Held'
  /** A newer version in the middle of a release: stays held, starts again at step 1. */
  | 'Superseded'
  /** The stable version again: freed, native rollback. */
  | 'RolledBack'
  /** An edit beside the hold: the user's settings noted, ours put back. */
  | 'Kept'
  /** Un-paused with no Rollout to say otherwise: given back as the user wrote it. */
  | 'Freed'
  /** A template change that goes out without steps, for the reason in the warning. */
  | 'Bypassed'
  /** A release that OpenKruise left is to become ours, by a record that this edit brings: only for whoever has the verb for it. */
  | 'TakenOver'
  | 'Refused';

export interface Decision extends Ruling {
  /** The edit brings another template. Not looked at for the operator's own edits. */
  readonly changed: boolean;
}

interface Ruling {
  readonly verdict: Verdict;
  readonly patch: readonly PatchOp[];
  /** Sentences for the user; the API server hands them to the client. */
  readonly warnings: readonly string[];
  /** Set when refused. */
  readonly refusal?: Violation;
}

interface Context extends Edit, InterceptOptions {
  /** The Rollout that names this Deployment; disabled and terminating ones count too. */
  readonly rollout: Rollout | undefined;
  readonly changed: boolean;
}

const WORKLOAD_TYPE_VALUE = 'deployment';
const LABEL_VALUE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

const labelOf = (d: Deployment | undefined, key: string): string | undefined => d?.metadata.labels?.[key];
const annotationOf = (d: Deployment | undefined, key: string): string | undefined => d?.metadata.annotations?.[key];
const pass: Ruling = { verdict: 'Passed', patch: [], warnings: [] };

export const intercept = (edit: Edit, rollout: Rollout | undefined, options: InterceptOptions): Decision => {
  if (isOperators(edit, options.operatorUser)) return { ...pass, changed: false };
  const { old, next } = edit;
  const changed = old !== undefined && !sameTemplate(old.spec.template, next.spec.template);
  return { ...thatFits(edit, rule({ ...edit, ...options, rollout, changed })), changed };
};

/** Before anything starts: a record that the API server would not take, now or later, in the name of its user. */
const thatFits = ({ old, next }: Edit, ruling: Ruling): Ruling => {
  const refusal = ruling.verdict === 'Refused' ? undefined : recordTooLarge(old, next, ruling.patch);
  return refusal === undefined ? ruling : { verdict: 'Refused', patch: [], warnings: [], refusal };
};

const rule = (context: Context): Ruling => {
  const { operation, old } = context;
  if (operation === 'CREATE' || old === undefined) return onCreate(context);
  const record = readHeld(old);
  // An edit from before, when no webhook was there, counts as well.
  const held = record && noticeEdits(record, old);
  return held === undefined ? whileFree(context, old) : whileHeld(context, old, held);
};

/** Outside a cluster the operator and a person may share a username, so the field manager must fit too. */
export const isOperators = (by: Pick<Edit, 'user' | 'fieldManager'>, operatorUser: string): boolean =>
  by.user === operatorUser && by.fieldManager === keys.FIELD_MANAGER;

const governs = (rollout: Rollout | undefined): rollout is Rollout =>
  rollout !== undefined && rollout.metadata.deletionTimestamp === undefined && rollout.spec.disabled !== true;

/** With the marks that only we write: a reason to go past policy is good for one change, and what it was good for is noted. */
const patchOf = (context: Context, wanted: Wanted): PatchOp[] => {
  const { old, next, glass } = context;
  const rolloutID = wanted.labels?.[keys.ROLLOUT_ID] ?? labelOf(next, keys.ROLLOUT_ID);
  const stable = parseHeld(wanted.annotations?.[keys.HELD] ?? undefined)?.stable;
  const uid = old?.metadata.uid || next.metadata.uid;
  const noted =
    glass &&
    JSON.stringify({
      ...glass,
      ...(rolloutID && { rolloutID }),
      ...(uid && { uid }),
      template: digest(context, next),
      ...(stable !== undefined && { stable }),
    } satisfies BrokenGlass);
  // Good for this release alone: another template, or the end of it, takes it away.
  const ends = context.changed || wanted.annotations?.[keys.HELD] === null;
  const marks = {
    [keys.BREAK_GLASS]: null,
    [keys.GLASS_BROKEN]: noted ?? (ends ? undefined : annotationOf(old, keys.GLASS_BROKEN)) ?? null,
    [keys.PAUSED_UNSEEN]: null,
    [keys.FIELD_OWNERS]: ownersMark(context, wanted),
  };
  return patchFor(next, { ...wanted, annotations: { ...wanted.annotations, ...marks } });
};

/** Who owned what we borrow, while we do, and until the operator has given it back. */
const ownersMark = (context: Context, wanted: Wanted): string | null => {
  const { old } = context;
  const pending = annotationOf(old, keys.HELD) !== undefined || annotationOf(old, keys.FIELD_OWNERS) !== undefined;
  const holds = typeof wanted.annotations?.[keys.HELD] === 'string';
  return old !== undefined && (pending || holds) ? writeOwners(owned(context, old).owners) : null;
};

const owned = ({ next, fieldManager: manager, managedFields }: Context, old: Deployment): Owned<Field> => {
  const of = (d: Deployment): unknown => (d.metadata as { readonly managedFields?: unknown }).managedFields;
  const [before, after] = [settingsOf(old), settingsOf(next)];
  const user = readHeld(old)?.user ?? before;
  // A second call in one admission finds our settings, and what the first call noted of the user's.
  const noted = annotationOf(next, keys.HELD) === annotationOf(old, keys.HELD) ? undefined : readHeld(next)?.user;
  const isEdited = (field: Field): boolean =>
    noted ? noted[field] !== user[field] : after[field] !== before[field] && after[field] !== user[field];
  return ownersAfter(readOwners(annotationOf(old, keys.FIELD_OWNERS)), {
    old: managedFields ? managedFields.old() : of(old),
    next: managedFields ? managedFields.next() : of(next),
    manager,
    edited: FIELDS.filter(isEdited),
  });
};

const onCreate = (context: Context): Ruling => {
  const { next, rollout } = context;
  const exported = withoutForeignHold(undefined, next);
  const enrol = rollout !== undefined && governs(rollout);
  const patch = patchOf(context, {
    labels: { ...exported.labels, ...(enrol && { [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE }) },
    annotations: { ...exported.annotations, [keys.CHANGED_BY]: null, [keys.APPROVED]: null },
    settings: exported.settings,
  });
  return { verdict: enrol ? 'Enrolled' : 'Passed', patch, warnings: [] };
};

/**
 * A manifest exported while its Deployment was held carries our annotation and our settings. Applied to one that is not held,
 * it must not leave it paused: the user's settings in the annotation take their place, and the annotation goes.
 * Called again on an object that we have just held (reinvocation), it undoes exactly that, and the hold follows again.
 */
const withoutForeignHold = (old: Deployment | undefined, next: Deployment): Wanted => {
  // One that was there before and cannot be read is the operator's to report.
  if (annotationOf(next, keys.HELD) === undefined || annotationOf(old, keys.HELD) !== undefined) {
    return {
      annotations: { [keys.GIVE_BACK]: annotationOf(old, keys.GIVE_BACK) ?? null },
      ...withoutUnseenPause(next),
    };
  }
  return {
    labels: { [keys.STABLE_REVISION]: labelOf(old, keys.STABLE_REVISION) ?? null },
    annotations: {
      [keys.HELD]: null,
      [keys.GIVE_BACK]: null,
      [keys.IN_PROGRESSING]: annotationOf(old, keys.IN_PROGRESSING) ?? null,
      [keys.KRUISE_EXTRA_STATUS]: annotationOf(old, keys.KRUISE_EXTRA_STATUS) ?? null,
    },
    settings: readHeld(next)?.user,
  };
};

/** The API server's own policy pauses a new template before it asks us, and notes what the pause was before. */
const withoutUnseenPause = (next: Deployment): Wanted => {
  const before = annotationOf(next, keys.PAUSED_UNSEEN);
  if (before === undefined) return {};
  return { settings: { ...settingsOf(next), paused: before === 'true' ? true : null } };
};

/**
 * OpenKruise has left it in the middle of a release, and nobody moves it before it is taken over. Undefined: as any other that is not
 * held; un-pausing it with a rolling update is the way out, as ever.
 */
const whileLeftBehind = (context: Context, old: Deployment): Ruling | undefined => {
  const { next, rollout, changed } = context;
  if (old.spec.paused === true && next.spec.paused !== true && next.spec.strategy?.type === 'Recreate') {
    return { verdict: 'Refused', patch: [], warnings: [], refusal: words.unpausingRefusal(next) };
  }
  if (!governs(rollout)) return undefined;
  const { paused, strategy } = next.spec;
  if (changed) {
    const kept = tracesOf(old).annotations;
    const annotations = Object.fromEntries(
      [...Object.keys(kept), keys.IN_PROGRESSING].map((key) => [key, annotationOf(old, key) ?? null]),
    );
    const labels = keepLabels(old, next, [keys.WORKLOAD_TYPE, keys.STABLE_REVISION, keys.KRUISE_ADVANCED]);
    const patch = patchOf(context, { annotations, labels, settings: { ...settingsOf(next), paused: true } });
    return { verdict: 'Bypassed', patch, warnings: [words.leftBehind(rollout, next)] };
  }
  // Taken over: the record is written by whoever does it, since the strategy is not ours to write.
  const taken = readHeld(next)?.rollout === rollout.metadata.name && paused === true;
  return taken && strategy?.type === 'RollingUpdate' ? { ...pass, verdict: 'TakenOver' } : undefined;
};

const whileFree = (context: Context, old: Deployment): Ruling => {
  const { next, rollout, changed } = context;
  const leftBehind = isLeftBehind(old, rollout) ? whileLeftBehind(context, old) : undefined;
  if (leftBehind !== undefined) return leftBehind;
  const exported = withoutForeignHold(old, next);
  if (!governs(rollout)) {
    const warnings = changed && rollout !== undefined ? [words.standsAside(rollout, next)] : [];
    // Nobody may say who changed the template, and nobody sees who does now.
    const author = changed ? null : (annotationOf(old, keys.CHANGED_BY) ?? null);
    const annotations = { ...exported.annotations, [keys.CHANGED_BY]: author };
    const patch = patchOf(context, { ...exported, annotations });
    return { verdict: warnings.length > 0 ? 'Bypassed' : 'Passed', patch, warnings };
  }
  const kept: Wanted = {
    ...exported,
    labels: {
      ...exported.labels,
      [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE,
      ...keepLabels(old, next, [keys.ROLLOUT_ID]),
    },
    annotations: { ...exported.annotations, [keys.CHANGED_BY]: annotationOf(old, keys.CHANGED_BY) ?? null },
  };
  if (!changed) {
    // As a label, so that the status follows it, and the next release has it.
    const id = idSet(context, old);
    const patch = patchOf(
      context,
      id === undefined ? kept : { ...kept, labels: { ...kept.labels, [keys.ROLLOUT_ID]: id } },
    );
    return { verdict: patch.length > 0 ? 'Kept' : 'Passed', patch, warnings: words.recreates(rollout, old, next) };
  }
  const bypass = words.bypassReason(rollout, old, next);
  if (bypass !== undefined) return { verdict: 'Bypassed', patch: patchOf(context, kept), warnings: [bypass] };

  const stable = digest(context, old);
  const { held, settings } = firstHold(old, exported.settings ?? settingsOf(next), rollout.metadata.name, stable);
  const id = rolloutId(context, old, stable);
  const traced = traceOf(context, old, id);
  const wanted: Wanted = {
    labels: { ...kept.labels, [keys.ROLLOUT_ID]: id },
    annotations: { ...heldAnnotations({ ...held, ...traced.record }), [keys.CHANGED_BY]: context.user },
    settings,
  };
  const warnings = [words.released(rollout, old, next), ...traced.warnings];
  return { verdict: 'Held', patch: patchOf(context, wanted), warnings };
};

const whileHeld = (context: Context, old: Deployment, held: Held): Ruling => {
  const { next, rollout, changed } = context;
  if (next.spec.strategy?.type !== old.spec.strategy?.type) {
    return { verdict: 'Refused', patch: [], warnings: [], refusal: words.strategyTypeRefusal(held, next) };
  }
  // A second call in one admission finds what the first noted; a user who edits the annotation edits their own settings.
  const edited = annotationOf(next, keys.HELD) === annotationOf(old, keys.HELD) ? undefined : readHeld(next);
  const noted: Held = { ...held, user: (edited ?? held).user };
  const before = settingsOf(old);
  const paused = changed || next.spec.paused === true ? true : (old.spec.paused ?? null);
  const maxSurge = paused === true && isMoving(old) ? surgeWhenPaused(old, held) : before.maxSurge;
  const edit = settingsOf(next);
  const after = edit.maxSurge === maxSurge ? { ...edit, maxSurge: before.maxSurge } : edit;
  // With a new template the pause is ours, as far as a second call can tell.
  const edits = takeOver(noted, before, changed && after.paused === true ? { ...after, paused: before.paused } : after);
  const taken = withoutFields(edits, owned(context, old).dropped);
  const back = changed && digest(context, next) === held.stable;

  // A record that the status does not confirm is looked at by the operator first: it is held until then.
  if (back && mayFreeAtOnce(held) && isTrusted(held, rollout)) {
    const patch = patchOf(context, freed(context, old, taken, changed));
    return { verdict: 'RolledBack', patch, warnings: [words.rolledBack(held, next, taken.user)] };
  }
  const unpaused = old.spec.paused === true && next.spec.paused !== true;
  if (unpaused && !governs(rollout)) {
    const patch = patchOf(context, freed(context, old, taken, changed));
    return { verdict: 'Freed', patch, warnings: [words.freed(held, next)] };
  }
  const superseded = changed && !back && governs(rollout);
  const id = superseded ? rolloutId(context, old, digest(context, old)) : '';
  const traced = superseded ? traceOf(context, old, id) : untraced;
  const { budget } = taken;
  const grows = budget !== undefined && maxSurge !== null && maxSurge !== before.maxSurge;
  const kept: Held = grows ? { ...taken, budget: { ...budget, maxSurge } } : taken;
  const { trace: _, ...untilNow } = kept;
  const wanted: Wanted = {
    labels: {
      ...(governs(rollout) && { [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE }),
      ...keepLabels(old, next, [keys.STABLE_REVISION, keys.ROLLOUT_ID]),
      ...(superseded && { [keys.ROLLOUT_ID]: id }),
    },
    annotations: {
      ...heldAnnotations(superseded ? { ...untilNow, ...traced.record, rollout: rollout.metadata.name } : kept),
      [keys.IN_PROGRESSING]: annotationOf(old, keys.IN_PROGRESSING) ?? null,
      [keys.CHANGED_BY]: changed ? context.user : (annotationOf(old, keys.CHANGED_BY) ?? null),
    },
    settings: {
      ...before,
      maxSurge,
      // At rest the user's own are in force; while marked, ours (docs/holding.md).
      ...(!isMarked(old) && {
        minReadySeconds: taken.user.minReadySeconds,
        progressDeadlineSeconds: taken.user.progressDeadlineSeconds,
      }),
      // A moving Deployment is stopped by a new template, and by a pause; nothing is taken from its budget (docs/holding.md).
      paused,
    },
  };
  const patch = patchOf(context, wanted);
  if (superseded) {
    // Whatever the record says, the operator goes by what it knows to be stable.
    const { phase, canaryStatus } = rollout.status ?? {};
    const stable = phase === 'Progressing' && canaryStatus?.stableDigest === digest(context, next);
    const said = stable ? words.rollsBackLater(held) : words.superseded(rollout, old, next);
    return { verdict: 'Superseded', patch, warnings: [said, ...traced.warnings] };
  }
  if (back) return { verdict: 'RolledBack', patch, warnings: [words.rollsBackLater(held)] };
  const warnings = changed
    ? [words.heldByNobody(held, next)]
    : words.kept(noted, next, editedFields(noted, taken), { unpaused, marked: isMarked(old) });
  return { verdict: patch.every(isNote) ? 'Passed' : 'Kept', patch, warnings };
};

/** Who owns a field was noted, and nothing else is changed. */
const isNote = ({ path }: PatchOp): boolean => path === `/metadata/annotations/${keys.FIELD_OWNERS.replace('/', '~1')}`;

/** The Deployment as its user wants it, with nothing of ours on it but the enrolment and the id of the last release. */
const freed = (context: Context, old: Deployment, held: Held, changed: boolean): Wanted => ({
  labels: {
    ...(governs(context.rollout) && { [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE }),
    ...keepLabels(old, context.next, [keys.ROLLOUT_ID]),
    [keys.STABLE_REVISION]: null,
  },
  annotations: {
    ...Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null])),
    [keys.CHANGED_BY]: changed ? context.user : (annotationOf(old, keys.CHANGED_BY) ?? null),
  },
  settings: freedSettings(held),
});

/** The user's settings that this edit changes: a GitOps tool that writes the same manifest again changes none. */
const editedFields = (before: Held, after: Held): readonly (keyof Settings)[] =>
  (Object.keys(after.user) as (keyof Settings)[]).filter((key) => (before.user[key] ?? null) !== after.user[key]);

/** Labels that the edit dropped, as they were; a label that it changed is the user's. */
const keepLabels = (old: Deployment, next: Deployment, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap((key) => {
      const before = labelOf(old, key);
      return before !== undefined && labelOf(next, key) === undefined ? [[key, before]] : [];
    }),
  );

const digest = ({ sha256 }: Context, d: Deployment): string => templateDigest(d.spec.template, sha256);

/** The id that this very edit sets, as label or as annotation. */
const idSet = ({ next }: Context, old: Deployment): string | undefined =>
  [
    [labelOf(next, keys.ROLLOUT_ID), labelOf(old, keys.ROLLOUT_ID)],
    [annotationOf(next, keys.ROLLOUT_ID), annotationOf(old, keys.ROLLOUT_ID)],
  ].find(([now, before]) => now !== undefined && now !== before && LABEL_VALUE.test(now))?.[0];

/** The id that an edit before this one has set, for the release to come: no release has had it. */
function idAnnounced({ rollout }: Context, old: Deployment): string | undefined {
  const id = labelOf(old, keys.ROLLOUT_ID);
  // While one is held, the label is the id of that one.
  if (rollout?.status === undefined || annotationOf(old, keys.HELD) !== undefined) return undefined;
  return id !== undefined && LABEL_VALUE.test(id) && !isUsedId(rollout, id) ? id : undefined;
}

/**
 * The id of the release: the user's when this very edit sets one, or one before it did; an id left from the last release
 * does not name this one. Otherwise a digest of facts that the same edit has again when it is retried or was a dry run:
 * the object, the id before it, and both templates. The id before it makes v1 → v2 → v1 → v2 three different releases.
 */
const rolloutId = (context: Context, old: Deployment, digestOfOld: string): string => {
  const { next, sha256 } = context;
  const set = idSet(context, old) ?? idAnnounced(context, old);
  if (set !== undefined) return set;
  // Federation tools send an object without uid: the old one has it.
  const uid = next.metadata.uid || old.metadata.uid || '';
  const before = labelOf(old, keys.ROLLOUT_ID) ?? '';
  // The new template as the API server writes it: to name a release, another order of its fields may make another name.
  return sha256([uid, before, digestOfOld, JSON.stringify(next.spec.template)].join('\n')).slice(0, 16);
};
