// How a Deployment is held and given back, as data. Webhook and operator share this file.
import {
  BUDGET,
  GIVE_BACK,
  HELD,
  IN_PROGRESSING,
  MARK_MIN_READY_SECONDS,
  MARK_PROGRESS_DEADLINE_SECONDS,
} from '../../../api/keys.ts';
import type { Deployment, Held, IntOrString, TemplateDigest } from '../../../api/types.ts';
import { replicasOf, resolveLimits, shareOf } from '../../lib/replicas.ts';
import { formatTime, parseTime } from '../../lib/time.ts';
import { WITHOUT_HOLD, inProgressing, readRecord, timesOf } from '../record.ts';

/** The five borrowed fields of a Deployment. `null` if absent. */
export type Settings = Held['user'];
export type Budget = NonNullable<Held['budget']>;

/** The budget of a held Deployment: the Deployment controller replaces no Pod. */
export const NO_BUDGET: Budget = { maxSurge: 0, maxUnavailable: 1 };

/** A `minReadySeconds` with which no Pod becomes available, and the larger deadline that Kubernetes requires. */
export const MARK = {
  minReadySeconds: MARK_MIN_READY_SECONDS,
  progressDeadlineSeconds: MARK_PROGRESS_DEADLINE_SECONDS,
} as const;

/** The current values of the five fields. */
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

/** The user's settings: from the record, or from the spec if the Deployment is not held. */
export const userSettings = (deployment: Deployment): Settings => readHeld(deployment)?.user ?? settingsOf(deployment);

/** The record on the Deployment. Undefined if it is absent or invalid. */
export function readHeld({ metadata }: Deployment): Held | undefined {
  const held = parseHeld(metadata.annotations?.[HELD]);
  // A record with a budget is from an earlier version of Tranche, which writes no label.
  return held && held.budget === undefined ? { ...held, ...grantOn(metadata) } : held;
}

/** The budget and the time of the last grant, from the label. Users can write it, so an invalid value is ignored. */
export function grantOn({ labels }: Deployment['metadata']): Pick<Held, 'budget' | 'moved'> {
  const [, maxSurge, maxUnavailable, seconds] = GRANT.exec(labels?.[BUDGET] ?? '') ?? [];
  if (maxSurge === undefined || maxUnavailable === undefined) return {};
  const budget = { maxSurge: amountIn(maxSurge), maxUnavailable: amountIn(maxUnavailable) };
  if (!isBudget(budget)) return {};
  return { budget, ...(seconds === undefined ? {} : { moved: formatTime(Number(seconds) * 1000) }) };
}

const GRANT = /^surge-(\d{1,10}(?:pct)?)\.unavailable-(\d{1,10}(?:pct)?)(?:\.at-(\d{1,12}))?$/;
const amountIn = (text: string): IntOrString => (text.endsWith('pct') ? text.replace('pct', '%') : Number(text));
const textOf = (amount: IntOrString): string => String(amount).replace('%', 'pct');

/** The label with the budget. It is written together with the annotations of the record. Absent for values that no label can have. */
export function heldLabels({ budget, moved }: Pick<Held, 'budget' | 'moved'>): Readonly<Record<string, string | null>> {
  if (!budget) return { [BUDGET]: null };
  const at = parseTime(moved);
  const since = at === undefined ? '' : `.at-${Math.floor(at / 1000)}`;
  const text = `surge-${textOf(budget.maxSurge)}.unavailable-${textOf(budget.maxUnavailable)}${since}`;
  return { [BUDGET]: GRANT.test(text) ? text : null };
}

/** Parses a record. Invalid settings must not prevent a rollback: Kubernetes' defaults replace them, and `mended` names them. */
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
/** True for a number, or a percentage of at most `most` percent. */
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

/** Validates the settings like the API server. */
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
    // An absent deadline is 600. Both values are replaced, because only both together are valid.
    mended.push('minReadySeconds', 'progressDeadlineSeconds');
    return { user: { ...settings, minReadySeconds: null, progressDeadlineSeconds: null }, mended };
  }
  return { user: settings, mended };
}
/** Kubernetes' default of progressDeadlineSeconds. */
const DEFAULT_DEADLINE = 600;

/** The annotation's value, without the budget, which is in a label. Equal records give equal texts. */
export function writeHeld(held: Held): string {
  const { paused, maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds } = held.user;
  return JSON.stringify({
    v: 1,
    rollout: held.rollout,
    user: { paused, maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds },
    stable: held.stable,
    ...(held.marks ? { marks: true } : {}),
    ...(held.bypassed ? { bypassed: held.bypassed } : {}),
    ...(held.trace ? { trace: held.trace } : {}),
    ...timesOf({ reminded: held.reminded }),
    ...(held.reverted ? { reverted: held.reverted } : {}),
  });
}

/**
 * A merge patch that gives the Deployment back with the user's settings, for emergencies without a running program (docs/emergencies.md).
 */
export function giveBackPatch({ user }: Held): string {
  const { paused, maxSurge, maxUnavailable, minReadySeconds, progressDeadlineSeconds } = user;
  return JSON.stringify({
    metadata: WITHOUT_HOLD,
    spec: {
      paused,
      minReadySeconds,
      progressDeadlineSeconds,
      strategy: { rollingUpdate: { maxSurge, maxUnavailable } },
    },
  });
}

/** The annotations of a record. */
export const heldAnnotations = (held: Held): Readonly<Record<string, string>> => ({
  [HELD]: writeHeld(held),
  [GIVE_BACK]: giveBackPatch(held),
  [IN_PROGRESSING]: inProgressing(held.rollout),
});

/** True if the Deployment is marked: the Deployment controller counts no Pod of the new version as available. */
export const isMarked = (deployment: Deployment): boolean => deployment.spec.minReadySeconds === MARK.minReadySeconds;

/** True if a budget is being spent: resumed and marked. */
export const isMoving = (deployment: Deployment): boolean => deployment.spec.paused !== true && isMarked(deployment);

/**
 * True if the Deployment controller is not done, according to the status. A smaller maxSurge would then make it delete Pods of the largest
 * ReplicaSet.
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
 * maxSurge when an edit pauses a moving Deployment. The status has the number of Pods that the Deployment controller knows. With a smaller surge it
 * would delete good old Pods of the largest ReplicaSet, in addition to those that it deletes anyway. With a larger surge, the largest ReplicaSet
 * gets a Pod back.
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
  /** The wanted values of the five fields. */
  readonly settings: Settings;
}

/**
 * Holds a Deployment. `before`: the Deployment before the change (the review's old object). `settings`: the five fields after the change.
 * `stable`: the digest of the running template.
 */
export function firstHold(before: Deployment, settings: Settings, rollout: string, stable: TemplateDigest): Hold {
  const budget: Budget = isInMotion(before)
    ? { maxSurge: settings.maxSurge ?? '25%', maxUnavailable: settings.maxUnavailable ?? '25%' }
    : NO_BUDGET;
  const held: Held = { v: 1, rollout, user: settings, stable, budget };
  return { held, settings: heldSettings(held) };
}

/** The settings of a held Deployment: paused, with the last budget and the user's minReadySeconds. */
export const heldSettings = (held: Held): Settings => ({
  ...held.user,
  ...(held.budget ?? NO_BUDGET),
  paused: true,
});

/** The same with marks, so that no Pod of the new version counts as available. */
export const markedSettings = (held: Held): Settings => ({ ...heldSettings(held), ...MARK });

/** The settings that let the Deployment controller spend `held.budget`. */
export const movingSettings = (held: Held): Settings => ({ ...markedSettings(held), paused: false });

/** The settings after the Deployment is given back: exactly those of the user. */
export const freedSettings = (held: Held): Settings => held.user;

/** The borrowed fields. */
export const FIELDS = ['paused', 'maxSurge', 'maxUnavailable', 'minReadySeconds', 'progressDeadlineSeconds'] as const;

export const sameSettings = (a: Settings, b: Settings): boolean => FIELDS.every((field) => a[field] === b[field]);

/** Applies an edit of the borrowed fields, from `before` to `after`, to the user's settings in the record. */
export function takeOver(held: Held, before: Settings, after: Settings): Held {
  const edited = FIELDS.filter((field) => before[field] !== after[field]);
  if (edited.length === 0) return held;
  const user = { ...held.user, ...Object.fromEntries(edited.map((field) => [field, after[field]])) };
  // Kubernetes refuses both limits as 0, so the edit must contain both values, one of which equals the current one and seemed unchanged.
  const impossible = isNone(user.maxSurge) && isNone(user.maxUnavailable);
  const { maxSurge, maxUnavailable } = after;
  return { ...held, user: impossible ? { ...user, maxSurge, maxUnavailable } : user };
}

/** The record without these settings of the user. The API server's defaults apply. */
export const withoutFields = (held: Held, fields: readonly (keyof Settings)[]): Held =>
  fields.length === 0
    ? held
    : { ...held, user: { ...held.user, ...Object.fromEntries(fields.map((field) => [field, null])) } };

/** Adds edits that no webhook saw to the record. Values that differ from the last write are the user's. */
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
 * The last written values of the two marked fields, if minReadySeconds is not the mark any more. If an edit of minReadySeconds left only the mark's
 * deadline, that deadline is not a wish of the user, except on a held Deployment with the user's own minReadySeconds.
 */
function leftUnmarked({ user }: Held, now: Settings): Pick<Settings, 'minReadySeconds' | 'progressDeadlineSeconds'> {
  const atRest = now.paused === true && now.minReadySeconds === user.minReadySeconds;
  return now.progressDeadlineSeconds === MARK.progressDeadlineSeconds && !atRest ? MARK : user;
}

const isNone = (amount: IntOrString | null): boolean => amount === 0 || amount === '0%';

/**
 * True if a change back to the stable template can be given back in the same patch. False while an abandoned version has marks, because the
 * Deployment controller would delete good Pods before broken ones. The webhook then only pauses, and the operator gives it back.
 */
export const mayFreeAtOnce = (held: Held): boolean => held.marks !== true;

/** A Deployment's spec with these settings. `null` removes a field. */
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

/** The spec of a merge patch that changes a Deployment to these settings. Undefined if nothing differs. */
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
