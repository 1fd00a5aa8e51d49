// How a Deployment is held and given back, as data: the one place that webhook and operator share, so that they cannot disagree.
import {
  GIVE_BACK,
  HELD,
  IN_PROGRESSING,
  MARK_MIN_READY_SECONDS,
  MARK_PROGRESS_DEADLINE_SECONDS,
} from '../../../api/keys.ts';
import type { Deployment, Held, IntOrString, TemplateDigest } from '../../../api/types.ts';
import { replicasOf, resolveLimits, shareOf } from '../../lib/replicas.ts';
import { HELD_ANNOTATIONS, HELD_LABELS, inProgressing, readRecord, timesOf } from '../record.ts';

/** The five fields we borrow from a Deployment; `null` where absent. */
export type Settings = Held['user'];
export type Budget = NonNullable<Held['budget']>;

/** The budget of a Deployment at rest: it lets the native controller do nothing. */
export const NO_BUDGET: Budget = { maxSurge: 0, maxUnavailable: 1 };

/** A native `minReadySeconds` that makes no Pod available, and the deadline that Kubernetes wants above it. */
export const MARK = {
  minReadySeconds: MARK_MIN_READY_SECONDS,
  progressDeadlineSeconds: MARK_PROGRESS_DEADLINE_SECONDS,
} as const;

/** The five fields as they are now. */
export function settingsOf(deployment: Deployment): Settings {
  const { paused, minReadySeconds, progressDeadlineSeconds, strategy } = deployment.spec;
  return {
    paused: paused ?? null,
    maxSurge: strategy?.rollingUpdate?.maxSurge ?? null,
    maxUnavailable: strategy?.rollingUpdate?.maxUnavailable ?? null,
    minReadySeconds: minReadySeconds ?? null,
    progressDeadlineSeconds: progressDeadlineSeconds ?? null,
  };
}

/** The user's settings of a Deployment: what the annotation keeps, or what it says itself when it is not held. */
export const userSettings = (deployment: Deployment): Settings => readHeld(deployment)?.user ?? settingsOf(deployment);

/** The record on the Deployment; undefined when there is none, or none that can be read. */
export function readHeld(deployment: Deployment): Held | undefined {
  return parseHeld(deployment.metadata.annotations?.[HELD]);
}

/** Settings that Kubernetes would refuse are replaced by its defaults, and named in `mended`: they must never stop a rollback. */
export function parseHeld(text: string | undefined): Held | undefined {
  const read = readRecord(text);
  if (read === undefined) return undefined;
  const { marks, budget } = read.raw as Partial<Held>;
  const { user, mended } = validSettings(read.record.user);
  return {
    ...read.record,
    user,
    ...(mended.length > 0 ? { mended } : {}),
    ...(marks === true ? { marks } : {}),
    ...(isBudget(budget) ? { budget: { maxSurge: budget.maxSurge, maxUnavailable: budget.maxUnavailable } } : {}),
  };
}

const MAX_INT32 = 2147483647;

const isInt32 = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_INT32;
/** Of `most` percent at most. */
const isAmount = (value: unknown, most: number): value is IntOrString =>
  isInt32(value) || (typeof value === 'string' && /^\d{1,9}%$/.test(value) && Number(value.slice(0, -1)) <= most);
const MOST_SURGE = Infinity;
const MOST_UNAVAILABLE = 100;

const isBudget = (budget: unknown): budget is Budget => {
  const { maxSurge, maxUnavailable } = (budget ?? {}) as Partial<Budget>;
  return isAmount(maxSurge, MOST_SURGE) && isAmount(maxUnavailable, MOST_UNAVAILABLE);
};

const DEFAULTS: Settings = {
  paused: null,
  maxSurge: '25%',
  maxUnavailable: '25%',
  minReadySeconds: null,
  progressDeadlineSeconds: null,
};

/** As the API server validates them. */
function validSettings(user: Partial<Settings>): { user: Settings; mended: string[] } {
  const fits = {
    paused: user.paused === null || typeof user.paused === 'boolean',
    maxSurge: user.maxSurge === null || isAmount(user.maxSurge, MOST_SURGE),
    maxUnavailable: user.maxUnavailable === null || isAmount(user.maxUnavailable, MOST_UNAVAILABLE),
    minReadySeconds: user.minReadySeconds === null || isInt32(user.minReadySeconds),
    progressDeadlineSeconds: user.progressDeadlineSeconds === null || isInt32(user.progressDeadlineSeconds),
  };
  const result: Record<string, unknown> = {};
  const mended: string[] = FIELDS.filter((field) => !fits[field]);
  for (const field of FIELDS) result[field] = fits[field] ? user[field] : DEFAULTS[field];
  const settings = result as unknown as Settings;
  if (isNone(settings.maxSurge) && isNone(settings.maxUnavailable)) {
    mended.push('maxSurge', 'maxUnavailable');
    return { user: { ...settings, maxSurge: DEFAULTS.maxSurge, maxUnavailable: DEFAULTS.maxUnavailable }, mended };
  }
  if ((settings.progressDeadlineSeconds ?? DEFAULT_DEADLINE) <= (settings.minReadySeconds ?? 0)) {
    // A deadline that is absent is 600: both were the user's, or neither fits.
    mended.push('minReadySeconds', 'progressDeadlineSeconds');
    return { user: { ...settings, minReadySeconds: null, progressDeadlineSeconds: null }, mended };
  }
  return { user: settings, mended };
}
/** Kubernetes' default of progressDeadlineSeconds. */
const DEFAULT_DEADLINE = 600;

/** The annotation's value: the same record gives the same text. */
export function writeHeld(held: Held): string {
  const { paused, maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds } = held.user;
  return JSON.stringify({
    v: 1,
    rollout: held.rollout,
    user: { paused, maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds },
    stable: held.stable,
    ...(held.marks ? { marks: true } : {}),
    ...(held.bypassed ? { bypassed: held.bypassed } : {}),
    ...(held.budget ? { budget: { maxSurge: held.budget.maxSurge, maxUnavailable: held.budget.maxUnavailable } } : {}),
    ...(held.trace ? { trace: held.trace } : {}),
    ...timesOf({ moved: held.moved, reminded: held.reminded }),
    ...(held.reverted ? { reverted: held.reverted } : {}),
  });
}

/**
 * A merge patch that gives the Deployment back as its user wrote it: the way out when nothing of ours is alive
 * (docs/emergencies.md).
 */
export function giveBackPatch({ user }: Held): string {
  const { paused, maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds } = user;
  return JSON.stringify({
    metadata: {
      annotations: Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null])),
      labels: Object.fromEntries(HELD_LABELS.map((key) => [key, null])),
    },
    spec: {
      paused,
      minReadySeconds,
      progressDeadlineSeconds,
      strategy: { rollingUpdate: { maxSurge, maxUnavailable } },
    },
  });
}

/** The annotations that go with a record. */
export const heldAnnotations = (held: Held): Readonly<Record<string, string>> => ({
  [HELD]: writeHeld(held),
  [GIVE_BACK]: giveBackPatch(held),
  [IN_PROGRESSING]: inProgressing(held.rollout),
});

/** The native controller is not to call the new version's Pods available. */
export const isMarked = (deployment: Deployment): boolean => deployment.spec.minReadySeconds === MARK.minReadySeconds;

/** Spending a budget: un-paused, and the new version's Pods do not count. */
export const isMoving = (deployment: Deployment): boolean => deployment.spec.paused !== true && isMarked(deployment);

/**
 * The native controller has work left on this Deployment, as far as the Deployment itself says. Then a smaller maxSurge would make
 * it take Pods away from the largest ReplicaSet.
 */
export function isInMotion(deployment: Deployment): boolean {
  const { status, metadata, spec } = deployment;
  const replicas = spec.replicas ?? 1;
  return (
    (status?.observedGeneration ?? 0) < (metadata.generation ?? 0) ||
    (status?.replicas ?? 0) !== replicas ||
    (status?.updatedReplicas ?? 0) !== replicas
  );
}

/**
 * What stays of the budget when a moving Deployment is paused by an edit. Its status tells how many Pods the native controller knows: with less
 * surge than that it would take the difference from the largest ReplicaSet, good old Pods, though it has just let others go, or is
 * about to. With more, the largest gets a Pod back.
 */
export function surgeWhenPaused(moving: Deployment, { user }: Held): IntOrString | null {
  const { maxSurge, maxUnavailable } = settingsOf(moving);
  const replicas = replicasOf(moving);
  const most = resolveLimits(user.maxSurge, user.maxUnavailable, replicas).surge;
  const exists = Math.min((moving.status?.replicas ?? 0) - replicas, most);
  return exists > resolveLimits(maxSurge, maxUnavailable, replicas).surge ? shareOf(exists, replicas, 'up') : maxSurge;
}

export interface Hold {
  readonly held: Held;
  /** What the five fields are to be. */
  readonly settings: Settings;
}

/**
 * Holds a Deployment that was not held. `before` is the Deployment without the change that is to be held (the review's old object);
 * `settings` the five fields with it; `stable` the digest of the template that runs now.
 */
export function firstHold(before: Deployment, settings: Settings, rollout: string, stable: TemplateDigest): Hold {
  const budget: Budget = isInMotion(before)
    ? { maxSurge: settings.maxSurge ?? '25%', maxUnavailable: settings.maxUnavailable ?? '25%' }
    : NO_BUDGET;
  const held: Held = { v: 1, rollout, user: settings, stable, budget };
  return { held, settings: heldSettings(held) };
}

/** At rest: paused, with the budget that was last given, and availability judged as the user wants it. */
export const heldSettings = (held: Held): Settings => ({
  ...held.user,
  ...(held.budget ?? NO_BUDGET),
  paused: true,
});

/** The same with no Pod of the new version counted. */
export const markedSettings = (held: Held): Settings => ({ ...heldSettings(held), ...MARK });

/** Spending `held.budget`. */
export const movingSettings = (held: Held): Settings => ({ ...markedSettings(held), paused: false });

/** Given back: byte for byte what the user wrote. */
export const freedSettings = (held: Held): Settings => held.user;

/** What we borrow. */
export const FIELDS = ['paused', 'maxSurge', 'maxUnavailable', 'minReadySeconds', 'progressDeadlineSeconds'] as const;

export const sameSettings = (a: Settings, b: Settings): boolean => FIELDS.every((field) => a[field] === b[field]);

/** An edit of the borrowed fields, from `before` to `after`, is an edit of the user's settings: the record with it. */
export function takeOver(held: Held, before: Settings, after: Settings): Held {
  const edited = FIELDS.filter((field) => before[field] !== after[field]);
  if (edited.length === 0) return held;
  const user = { ...held.user, ...Object.fromEntries(edited.map((field) => [field, after[field]])) };
  // Nobody can have meant that both are 0, which Kubernetes refuses: one was written as it stood there, and so seemed untouched.
  const impossible = isNone(user.maxSurge) && isNone(user.maxUnavailable);
  const { maxSurge, maxUnavailable } = after;
  return { ...held, user: impossible ? { ...user, maxSurge, maxUnavailable } : user };
}

/** The record with these of the user's settings left to the API server's defaults. */
export const withoutFields = (held: Held, fields: readonly (keyof Settings)[]): Held =>
  fields.length === 0
    ? held
    : { ...held, user: { ...held.user, ...Object.fromEntries(fields.map((field) => [field, null])) } };

/** The record with what was edited on the held Deployment while nobody saw it: what differs from how we left it is the user's. */
export function noticeEdits(held: Held, deployment: Deployment): Held {
  if (!held.budget) return held;
  const now = settingsOf(deployment);
  const { minReadySeconds, progressDeadlineSeconds } = isMarked(deployment) ? now : leftUnmarked(held, now);
  const noticed = takeOver(held, { ...now, ...held.budget, minReadySeconds, progressDeadlineSeconds }, now);
  if (noticed === held) return held;
  const { maxSurge, maxUnavailable } = now;
  return { ...noticed, budget: { maxSurge: maxSurge ?? '25%', maxUnavailable: maxUnavailable ?? '25%' } };
}

/**
 * How we left the two fields of the mark, now that minReadySeconds is not ours. Our deadline alone is what an edit of minReadySeconds has left of the
 * mark: nobody's wish, unless a Deployment at rest has it beside its user's own minReadySeconds.
 */
function leftUnmarked({ user }: Held, now: Settings): Pick<Settings, 'minReadySeconds' | 'progressDeadlineSeconds'> {
  const atRest = now.paused === true && now.minReadySeconds === user.minReadySeconds;
  return now.progressDeadlineSeconds === MARK.progressDeadlineSeconds && !atRest ? MARK : user;
}

const isNone = (amount: IntOrString | null): boolean => amount === 0 || amount === '0%';

/**
 * May a change back to the stable template be set free in the same patch? Not while an abandoned version carries marks:
 * the native controller would take good Pods before broken ones. Then it is only paused, and the operator frees it.
 */
export const mayFreeAtOnce = (held: Held): boolean => held.marks !== true;

/** A Deployment's spec with these settings; a `null` removes the field. */
export function withSettings(spec: Deployment['spec'], settings: Settings): Deployment['spec'] {
  const { maxSurge, maxUnavailable, ...fields } = settings;
  const rollingUpdate = { ...spec.strategy?.rollingUpdate, maxSurge, maxUnavailable };
  return withoutNulls({
    ...spec,
    ...fields,
    strategy: { ...spec.strategy, rollingUpdate: withoutNulls(rollingUpdate) },
  }) as Deployment['spec'];
}

const withoutNulls = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));

/** The part of a merge patch that takes a Deployment from its settings to these; `undefined` when nothing differs. */
export function settingsPatch(deployment: Deployment, settings: Settings): Record<string, unknown> | undefined {
  const now = settingsOf(deployment);
  const differ = (field: (typeof FIELDS)[number]): boolean => now[field] !== settings[field];
  const pick = (fields: readonly (typeof FIELDS)[number][]): Record<string, unknown> =>
    Object.fromEntries(fields.filter(differ).map((field) => [field, settings[field]]));
  const spec = pick(['paused', 'minReadySeconds', 'progressDeadlineSeconds']);
  const rollingUpdate = pick(['maxSurge', 'maxUnavailable']);
  if (Object.keys(rollingUpdate).length > 0) spec['strategy'] = { rollingUpdate };
  return Object.keys(spec).length > 0 ? spec : undefined;
}
