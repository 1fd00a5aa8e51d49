// What the record of a hold has in common for all kinds, and the labels and annotations that come and go with it.
import type { Json } from '../../api/json.ts';
import { GIVE_BACK, HELD, IN_PROGRESSING, KRUISE_EXTRA_STATUS, STABLE_REVISION } from '../../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../../api/names.ts';
import type { HoldRecord, KubeObject, TemplateDigest } from '../../api/types.ts';
import { parseTime } from '../lib/time.ts';
import { readTrace } from '../trace/trace.ts';

/** What says that we hold it. */
export const HELD_SIGNS = [HELD, IN_PROGRESSING] as const;
/** Kept by the workload, taken off when it is given back. */
export const HELD_ANNOTATIONS = [...HELD_SIGNS, GIVE_BACK, KRUISE_EXTRA_STATUS] as const;
export const HELD_LABELS = [STABLE_REVISION] as const;

/** Value of the annotation that OpenKruise's clients read. */
export const inProgressing = (rollout: string): string => JSON.stringify({ rolloutName: rollout });

/** A record without what is of its kind alone, and the JSON that it was read from. */
export interface ReadRecord {
  readonly record: HoldRecord;
  readonly raw: Json;
}

/** Whoever can write the annotation can write anything: each field is kept only where it is what it must be. Undefined when it is no record. */
export function readRecord(text: string | undefined): ReadRecord | undefined {
  if (!text) return undefined;
  try {
    const raw = JSON.parse(text) as Json | null;
    const { v, rollout, stable, user, trace, bypassed, moved, reminded, reverted } = (raw ?? {}) as Partial<HoldRecord>;
    if (v !== 1 || typeof rollout !== 'string' || !isLike<TemplateDigest>(DIGEST, stable)) return undefined;
    if (typeof user !== 'object' || user === null) return undefined;
    const known = readTrace(trace);
    const record: HoldRecord = {
      v: 1,
      // What is no name names nobody.
      rollout: isName(SUBDOMAIN_NAME, rollout) ? rollout : '',
      user,
      stable,
      ...(typeof bypassed === 'string' && bypassed !== '' ? { bypassed: oneLine(bypassed) } : {}),
      ...(known ? { trace: known } : {}),
      ...(isLike(REVERTED, reverted) ? { reverted } : {}),
      ...timesOf({ moved, reminded }),
    };
    return { record, raw: raw as Json };
  } catch {
    return undefined;
  }
}

/** The record on any workload, of whatever kind it is. */
export const recordOn = ({ metadata }: KubeObject): HoldRecord | undefined =>
  readRecord(metadata.annotations?.[HELD])?.record;

const oneLine = (text: string): string => text.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, ' ').slice(0, MAX_TEXT);
const MAX_TEXT = 200;
const DIGEST = /^[a-zA-Z0-9]{0,64}$/;
const REVERTED = /^(generation [0-9]{1,15}|[a-zA-Z0-9]{1,64})$/;
const isLike = <T extends string>(pattern: RegExp, value: unknown): value is T =>
  typeof value === 'string' && pattern.test(value);

/** What is no time is left out. */
export const timesOf = (times: Readonly<Record<string, unknown>>): Pick<HoldRecord, 'moved' | 'reminded'> =>
  Object.fromEntries(
    Object.entries(times).filter(([, time]) => typeof time === 'string' && parseTime(time) !== undefined),
  );
