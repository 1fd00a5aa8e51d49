// Decides on an edit of a workload before policies are checked: hold it, roll back immediately, keep the hold, or let it pass.
import * as keys from '../../api/keys.ts';
import type { CompletedVersion, Deployment, HoldRecord, Rollout, TemplateDigest, Workload } from '../../api/types.ts';
import { changeBetween, templateDigest } from '../lib/template.ts';
import { annotationPath, type PatchOp } from '../lib/json-patch.ts';
import { isEmpty } from '../lib/replicas.ts';
import { earlierVersions, grantFor, type Grant } from '../release/completed.ts';
import { isTrusted } from '../release/stable.ts';
import type { Violation } from '../validate/violation.ts';
import { recordTooLarge } from '../workload/annotation-size.ts';
import type { Holding } from '../workload/edits.ts';
import type { Owned } from '../workload/field-owners.ts';
import { deploymentKind } from '../workload/deployment/kind.ts';
import { metadataOfHeld, editedFields, enrolment, freed, withoutForeignHold } from './hold.ts';
import {
  annotationOf,
  governs,
  isOperators,
  keepLabels,
  type Context,
  type Edit,
  type InterceptOptions,
  type Ruling,
  type Verdict,
} from './edit.ts';
import { whileLeftBehind } from './left-behind.ts';
import { patchOf, type PastPolicy } from './marks.ts';
import * as messages from './messages.ts';
import type { Wanted } from './patch.ts';
import { idSet, rolloutId } from './release-id.ts';
import { traceOf } from './trace.ts';

/** A ruling with its patch: the outcome of the edit if there are no policies. */
export interface Interception {
  readonly verdict: Verdict;
  readonly patch: readonly PatchOp[];
  /** Warnings for the user, which the API server returns to the client. */
  readonly warnings: readonly string[];
  /** Set when refused. */
  readonly refusal?: Violation;
  /** The edit changes the template. Always false for the operator's own edits. */
  readonly changed: boolean;
}

export function intercept(edit: Edit, rollout: Rollout | undefined, options: InterceptOptions): Interception {
  if (isOperators(edit, options.operatorUser)) return { verdict: 'Passed', patch: [], warnings: [], changed: false };
  const context = contextOf(edit, rollout, options);
  return carriedOut(context, ruleOn(context));
}

/** Adds the facts that the rules need. Only this function compares the two templates. */
export function contextOf(edit: Edit, rollout: Rollout | undefined, options: InterceptOptions): Context {
  const { old, next } = edit;
  const change = old === undefined ? 'None' : changeBetween(old.spec.template, next.spec.template);
  const { kind = deploymentKind } = edit;
  let digests: Map<Workload, TemplateDigest> | undefined;
  let owned: Owned | undefined;
  let earlier: { readonly found: ReturnType<Context['earlier']> } | undefined;
  const context: Context = {
    ...edit,
    ...options,
    kind,
    rollout,
    change,
    changed: change !== 'None',
    digest(workload) {
      digests ??= new Map();
      const digest = digests.get(workload) ?? templateDigest(workload.spec.template, options.sha256);
      digests.set(workload, digest);
      return digest;
    },
    earlier: () => (earlier ??= { found: earlierVersion(context) }).found,
    owned: (before) => (owned ??= kind.edits.ownedAfter(edit, before)),
  };
  return context;
}

/** The Rollout's status says which versions were completed. Users cannot write it. */
function earlierVersion({
  changed,
  old,
  next,
  rollout,
  digest,
  granting,
  sha256,
}: Context): ReturnType<Context['earlier']> {
  // Most Rollouts have no earlier version, and then no digest is needed.
  const isThis = (version: CompletedVersion): boolean => version.templateDigest === digest(next);
  if (!changed || !governs(rollout) || !earlierVersions(rollout).some(isThis)) return undefined;
  const facts = granting?.();
  // Users can write the author of the new object.
  return { grant: facts && grantFor({ ...facts, rollout, deployment: old, sha256 }, digest(next)) };
}

/** The ruling of the rule that applies to the edit. */
export function ruleOn(context: Context): Ruling {
  const { kind, operation, old } = context;
  if (operation === 'CREATE' || old === undefined) return onCreate(context);
  const held = kind.edits.heldBefore(old);
  return held === undefined ? whileFree(context, old) : whileHeld(context, old, held);
}

/**
 * The ruling as a patch. `past`: the user who breaks the glass with this edit. Refuses a record that would exceed the API server's limit now or
 * later in the release.
 */
export function carriedOut(context: Context, ruling: Ruling, past?: PastPolicy): Interception {
  const { old, next, changed } = context;
  const { verdict, wanted, warnings, refusal, isQuiet } = ruling;
  if (refusal !== undefined) return { verdict, patch: [], warnings, refusal, changed };
  const patch = wanted === undefined ? [] : patchOf(context, wanted, past);
  const tooLarge = recordTooLarge(old, next, patch);
  if (tooLarge !== undefined) return { verdict: 'Refused', patch: [], warnings: [], refusal: tooLarge, changed };
  return { verdict: isQuiet !== undefined && patch.every(isQuiet) ? 'Passed' : verdict, patch, warnings, changed };
}

function onCreate({ kind, next, rollout }: Context): Ruling {
  const exported = withoutForeignHold(kind, undefined, next);
  const wanted = {
    labels: { ...exported.labels, ...enrolment(kind, rollout) },
    annotations: { ...exported.annotations, [keys.CHANGED_BY]: null, [keys.APPROVED]: null },
    borrowed: exported.borrowed,
  };
  return { verdict: governs(rollout) ? 'Enrolled' : 'Passed', wanted, warnings: [] };
}

function whileFree(context: Context, old: Deployment): Ruling {
  const { kind, next, rollout, change, changed } = context;
  const leftBehind = whileLeftBehind(context, old);
  if (leftBehind !== undefined) return leftBehind;
  const exported = withoutForeignHold(kind, old, next);
  if (!governs(rollout)) return ungoverned(context, old, exported);
  const kept: Wanted = {
    ...exported,
    labels: { ...exported.labels, ...enrolment(kind, rollout), ...keepLabels(old, next, [keys.ROLLOUT_ID]) },
    annotations: { ...exported.annotations, [keys.CHANGED_BY]: annotationOf(old, keys.CHANGED_BY) ?? null },
  };
  if (!changed && annotationOf(old, keys.PAUSED_UNSEEN) !== undefined) {
    // A new template that no webhook saw waits for the operator to hold it.
    const { borrowed: _, ...rest } = kept;
    const annotations = { ...kept.annotations, [keys.PAUSED_UNSEEN]: annotationOf(next, keys.PAUSED_UNSEEN) ?? null };
    return { verdict: 'Kept', isQuiet: () => false, wanted: { ...rest, annotations }, warnings: [] };
  }
  if (!changed) {
    // The label makes the status follow the id, and the next release uses it.
    const id = idSet(context, old);
    const wanted = id === undefined ? kept : { ...kept, labels: { ...kept.labels, [keys.ROLLOUT_ID]: id } };
    return { verdict: 'Kept', isQuiet: () => false, wanted, warnings: messages.recreates(rollout, old, next, kind) };
  }
  const bypass = messages.bypassReason(rollout, next, change, kind);
  if (bypass !== undefined) return { verdict: 'Bypassed', wanted: withId(context, old, kept), warnings: [bypass] };
  const grant = context.earlier()?.grant;
  return grant === undefined
    ? startHold(context, old, rollout, kept)
    : restored(context, old, rollout, kept, {
        grant,
        paused: kind.isPausedBy(kept.borrowed ?? kind.borrowed(next)),
      });
}

/** Without replicas there are no steps, but a release, which waits for Pods. */
function withId(context: Context, old: Deployment, kept: Wanted): Wanted {
  const { kind, next } = context;
  if (!isEmpty(next) || kind.obstacle(next) !== undefined) return kept;
  return { ...kept, labels: { ...kept.labels, [keys.ROLLOUT_ID]: rolloutId(context, old) } };
}

/** A version that was completed before, in a release of its own without steps. */
function restored(
  context: Context,
  old: Deployment,
  rollout: Rollout,
  free: Wanted,
  { grant, paused }: { readonly grant: Grant; readonly paused: boolean },
): Ruling {
  const wanted: Wanted = {
    ...free,
    labels: { ...free.labels, [keys.ROLLOUT_ID]: rolloutId(context, old) },
    annotations: {
      ...free.annotations,
      // The approvers must not be the author of what ran. The operator checks this again.
      [keys.CHANGED_BY]: grant === 'Approval' ? (annotationOf(old, keys.CHANGED_BY) ?? null) : context.user,
    },
  };
  return {
    verdict: 'Restored',
    wanted,
    warnings: [messages.restored(rollout, context.next, grant, paused, context.kind)],
  };
}

/** Without a governing Rollout. */
function ungoverned({ kind, next, rollout, changed }: Context, old: Deployment, exported: Wanted): Ruling {
  const warnings = changed && rollout !== undefined ? [messages.standsAside(rollout, next, kind)] : [];
  // Users must not set the author themselves, and the webhook does not record one here.
  const author = changed ? null : (annotationOf(old, keys.CHANGED_BY) ?? null);
  const wanted = { ...exported, annotations: { ...exported.annotations, [keys.CHANGED_BY]: author } };
  return { verdict: warnings.length > 0 ? 'Bypassed' : 'Passed', wanted, warnings };
}

/** Starts a release. */
function startHold(context: Context, old: Deployment, rollout: Rollout, kept: Wanted): Ruling {
  const { kind, next, change, user } = context;
  const stable = context.digest(old);
  const { held, borrowed } = kind.edits.holdFirst(context, old, kept.borrowed, { rollout, stable });
  const id = rolloutId(context, old);
  const traced = traceOf(context, old, id);
  const { annotations, labels } = metadataOfHeld(kind, { ...held, ...traced.record }, user);
  const wanted: Wanted = { labels: { ...kept.labels, ...labels, [keys.ROLLOUT_ID]: id }, annotations, borrowed };
  const said = [messages.released(rollout, next, change), ...laterVersion(context, rollout)];
  return { verdict: 'Held', wanted, warnings: [...said, ...traced.warnings] };
}

/** How to go back to a completed version at once, although this edit goes through the steps. */
const laterVersion = ({ earlier, next }: Context, rollout: Rollout): readonly string[] =>
  earlier() === undefined ? [] : [messages.backAtOnce(rollout, next)];

function whileHeld(context: Context, old: Deployment, held: HoldRecord): Ruling {
  const { kind, next, rollout, changed } = context;
  if (kind.strategyType(next) !== kind.strategyType(old)) {
    return { verdict: 'Refused', warnings: [], refusal: messages.strategyTypeRefusal(held, next, kind) };
  }
  const { dropped } = context.owned(old);
  const edit = kind.edits.editOfHeld(context, old, held, { changed, dropped });
  const back = changed && context.digest(next) === held.stable;
  const free = (): Wanted => freed(context, old, edit.after, authorOf(context, old));
  // While a Service of the release gets requests, the operator takes them away first, and the workload stays held.
  const routed = annotationOf(old, keys.TRAFFIC) !== undefined;
  const atOnce = kind.mayFreeAtOnce(held) && !routed;
  // If the status does not confirm the record, the operator checks it first, and the workload stays held.
  if (back && atOnce && isTrusted(held, rollout)) {
    const warnings = [messages.rolledBack(held, next, kind.isPaused(edit.after), kind)];
    return { verdict: 'RolledBack', wanted: free(), warnings };
  }
  const grant = context.earlier()?.grant;
  if (governs(rollout) && grant !== undefined) {
    // If the workload cannot be given back in one write, it stays held, and the operator gives it back.
    const wanted = atOnce ? free() : stillHeld(context, old, kind.edits.holdOn(old, edit));
    return restored(context, old, rollout, wanted, { grant, paused: kind.isPaused(edit.after) });
  }
  if (edit.unpauses && !governs(rollout) && !routed) {
    return { verdict: 'Freed', wanted: free(), warnings: [messages.freed(held, next, kind)] };
  }
  const holding = kind.edits.holdOn(old, edit);
  if (back) {
    const wanted = stillHeld(context, old, holding);
    return { verdict: 'RolledBack', wanted, warnings: [messages.rollsBackLater(held, routed)] };
  }
  if (changed && governs(rollout)) return supersede(context, old, rollout, held, holding);
  const warnings = changed
    ? [messages.stillHeld(held, next, kind)]
    : messages.kept(
        edit.before,
        next,
        editedFields(edit),
        { unpaused: edit.unpauses, marked: edit.marked, paused: kind.isPaused(edit.before), ends: !governs(rollout) },
        kind,
      );
  return { verdict: 'Kept', isQuiet: isOwnersNote, wanted: stillHeld(context, old, holding), warnings };
}

/** A newer version during a release: the workload stays held, and the release starts at step 1. */
function supersede(context: Context, old: Deployment, rollout: Rollout, before: HoldRecord, holding: Holding): Ruling {
  const { next, change } = context;
  const { trace: _, ...record } = holding.held;
  const id = rolloutId(context, old);
  const traced = traceOf(context, old, id);
  const held = { ...record, ...traced.record, rollout: rollout.metadata.name };
  const wanted = stillHeld(context, old, { ...holding, held });
  // The operator uses the stable version in the status, not the one in the record.
  const { phase, canaryStatus } = rollout.status ?? {};
  const back = phase === 'Progressing' && canaryStatus?.stableDigest === context.digest(next);
  const routed = annotationOf(old, keys.TRAFFIC) !== undefined;
  const said = back ? messages.rollsBackLater(before, routed) : messages.superseded(rollout, next, change);
  const more = back ? [] : laterVersion(context, rollout);
  return {
    verdict: 'Superseded',
    wanted: { ...wanted, labels: { ...wanted.labels, [keys.ROLLOUT_ID]: id } },
    warnings: [said, ...more, ...traced.warnings],
  };
}

/** The wanted state of a workload that stays held. */
function stillHeld(context: Context, old: Deployment, { held, borrowed }: Holding): Wanted {
  const { annotations, labels } = metadataOfHeld(context.kind, held, authorOf(context, old));
  return {
    labels: {
      ...enrolment(context.kind, context.rollout),
      ...keepLabels(old, context.next, [keys.STABLE_REVISION, keys.ROLLOUT_ID]),
      ...labels,
    },
    annotations: { ...annotations, [keys.IN_PROGRESSING]: annotationOf(old, keys.IN_PROGRESSING) ?? null },
    borrowed,
  };
}

/** The last author of the template. */
const authorOf = ({ changed, user }: Context, old: Deployment): string | null =>
  changed ? user : (annotationOf(old, keys.CHANGED_BY) ?? null);

/** True for an operation on the annotation with the field owners, which changes no settings of the user. */
const isOwnersNote = ({ path }: PatchOp): boolean => path === annotationPath(keys.FIELD_OWNERS);
