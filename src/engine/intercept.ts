// What to do with an edit of a Deployment, decided at admission: hold it, roll it back at once, keep the hold, or let it pass.
import * as keys from '../api/keys.ts';
import type { BrokenGlass } from '../api/policy.ts';
import type { Deployment, Held, Rollout } from '../api/types.ts';
import {
  firstHold,
  freedSettings,
  inProgressing,
  isMarked,
  isMoving,
  mayFreeAtOnce,
  noticeEdits,
  readHeld,
  settingsOf,
  surgeWhenPaused,
  takeOver,
  writeHeld,
  type Settings,
} from './hold.ts';
import { patchFor, type PatchOp, type Wanted } from './intercept-patch.ts';
import { traceOf, untraced } from './intercept-trace.ts';
import * as words from './intercept-words.ts';
import { isLeftBehind, tracesOf } from './openkruise.ts';
import { sameTemplate, templateDigest, type Sha256 } from './revision.ts';
import type { Tracing } from './trace.ts';
import type { Violation } from './validate-violation.ts';

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
  return { ...rule({ ...edit, ...options, rollout, changed }), changed };
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
  const noted = glass && JSON.stringify({ ...glass, ...(rolloutID && { rolloutID }) });
  const marks = {
    [keys.BREAK_GLASS]: null,
    [keys.GLASS_BROKEN]: noted ?? annotationOf(old, keys.GLASS_BROKEN) ?? null,
    [keys.PAUSED_UNSEEN]: null,
  };
  return patchFor(next, { ...wanted, annotations: { ...wanted.annotations, ...marks } });
};

const onCreate = (context: Context): Ruling => {
  const { next, rollout } = context;
  const exported = withoutForeignHold(undefined, next);
  const enrol = rollout !== undefined && governs(rollout);
  const patch = patchOf(context, {
    labels: { ...exported.labels, ...(enrol && { [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE }) },
    annotations: { ...exported.annotations, [keys.CHANGED_BY]: null },
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
    return withoutUnseenPause(next);
  }
  return {
    labels: { [keys.STABLE_REVISION]: labelOf(old, keys.STABLE_REVISION) ?? null },
    annotations: { [keys.HELD]: null, [keys.IN_PROGRESSING]: annotationOf(old, keys.IN_PROGRESSING) ?? null },
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
  return taken && strategy?.type === 'RollingUpdate' ? pass : undefined;
};

const whileFree = (context: Context, old: Deployment): Ruling => {
  const { next, rollout, changed } = context;
  const leftBehind = isLeftBehind(old, rollout) ? whileLeftBehind(context, old) : undefined;
  if (leftBehind !== undefined) return leftBehind;
  const exported = withoutForeignHold(old, next);
  if (!governs(rollout)) {
    const warnings = changed && rollout !== undefined ? [words.standsAside(rollout, next)] : [];
    const patch = patchOf(context, exported);
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
    const patch = patchOf(context, kept);
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
    annotations: {
      [keys.HELD]: writeHeld({ ...held, ...traced.record }),
      [keys.IN_PROGRESSING]: inProgressing(rollout.metadata.name),
      [keys.CHANGED_BY]: context.user,
    },
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
  const taken = takeOver(noted, before, changed && after.paused === true ? { ...after, paused: before.paused } : after);
  const back = changed && digest(context, next) === held.stable;

  if (back && mayFreeAtOnce(held)) {
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
      [keys.HELD]: writeHeld(superseded ? { ...untilNow, ...traced.record, rollout: rollout.metadata.name } : kept),
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
    return { verdict: 'Superseded', patch, warnings: [words.superseded(rollout, old, next), ...traced.warnings] };
  }
  if (back) return { verdict: 'RolledBack', patch, warnings: [words.rollsBackLater(held)] };
  const warnings = changed
    ? [words.heldByNobody(held, next)]
    : words.kept(noted, next, editedFields(noted, taken), { unpaused, marked: isMarked(old) });
  return { verdict: patch.length > 0 ? 'Kept' : 'Passed', patch, warnings };
};

/** The Deployment as its user wants it, with nothing of ours on it but the enrolment and the id of the last release. */
const freed = (context: Context, old: Deployment, held: Held, changed: boolean): Wanted => ({
  labels: {
    ...(governs(context.rollout) && { [keys.WORKLOAD_TYPE]: WORKLOAD_TYPE_VALUE }),
    ...keepLabels(old, context.next, [keys.ROLLOUT_ID]),
    [keys.STABLE_REVISION]: null,
  },
  annotations: {
    [keys.HELD]: null,
    [keys.IN_PROGRESSING]: null,
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

/**
 * The id of the release: the user's when this very edit sets one, as label or as annotation; an id left from the last release
 * does not name this one. Otherwise a digest of facts that the same edit has again when it is retried or was a dry run:
 * the object, the id before it, and both templates. The id before it makes v1 → v2 → v1 → v2 three different releases.
 */
const rolloutId = (context: Context, old: Deployment, digestOfOld: string): string => {
  const { next, sha256 } = context;
  const set = [
    [labelOf(next, keys.ROLLOUT_ID), labelOf(old, keys.ROLLOUT_ID)],
    [annotationOf(next, keys.ROLLOUT_ID), annotationOf(old, keys.ROLLOUT_ID)],
  ].find(([now, before]) => now !== undefined && now !== before && LABEL_VALUE.test(now));
  if (set?.[0] !== undefined) return set[0];
  // Federation tools send an object without uid: the old one has it.
  const uid = next.metadata.uid || old.metadata.uid || '';
  const before = labelOf(old, keys.ROLLOUT_ID) ?? '';
  // The new template as the API server writes it: to name a release, another order of its fields may make another name.
  return sha256([uid, before, digestOfOld, JSON.stringify(next.spec.template)].join('\n')).slice(0, 16);
};
