// The record of a hold, common to all kinds, and the labels and annotations of a held workload.
import type { Json } from '../../api/json.ts';
import {
  BUDGET,
  GIVE_BACK,
  HELD,
  IN_PROGRESSING,
  KRUISE_EXTRA_STATUS,
  STABLE_REVISION,
  TRAFFIC,
} from '../../api/keys.ts';
import { isName, SUBDOMAIN_NAME } from '../../api/names.ts';
import type { HoldRecord, KubeObject, TemplateDigest } from '../../api/types.ts';
import { parseTime } from '../lib/time.ts';
import type { MetadataChange } from './kind.ts';
import { readTrace } from '../trace/trace.ts';

/** Annotations that indicate a hold. */
export const HELD_SIGNS = [HELD, IN_PROGRESSING] as const;
/** Annotations of a held workload. They are removed when it is given back. */
export const HELD_ANNOTATIONS = [...HELD_SIGNS, GIVE_BACK, KRUISE_EXTRA_STATUS, TRAFFIC] as const;
export const HELD_LABELS = [STABLE_REVISION, BUDGET] as const;

/** Removes the labels and annotations of a hold, as part of a merge patch. */
export const WITHOUT_HOLD: Required<MetadataChange> = {
  annotations: Object.fromEntries(HELD_ANNOTATIONS.map((key) => [key, null])),
  labels: Object.fromEntries(HELD_LABELS.map((key) => [key, null])),
};

/** Value of the annotation that OpenKruise's clients read. */
export const inProgressing = (rollout: string): string => JSON.stringify({ rolloutName: rollout });

/** The common part of a record, and its JSON. */
export interface ReadRecord {
  readonly record: HoldRecord;
  readonly raw: Json;
}

/** Parses a record. Users can write the annotation, so invalid fields are dropped. Undefined if it is not a record. */
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
      // An invalid name is replaced by "".
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

/** The record on a workload of any kind. */
export const recordOn = ({ metadata }: KubeObject): HoldRecord | undefined =>
  readRecord(metadata.annotations?.[HELD])?.record;

const oneLine = (text: string): string => text.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, ' ').slice(0, MAX_TEXT);
const MAX_TEXT = 200;
const DIGEST = /^[a-zA-Z0-9]{0,64}$/;
const REVERTED = /^(generation [0-9]{1,15}|[a-zA-Z0-9]{1,64})$/;
const isLike = <T extends string>(pattern: RegExp, value: unknown): value is T =>
  typeof value === 'string' && pattern.test(value);

/** Drops values that are not times. */
export const timesOf = (times: Readonly<Record<string, unknown>>): Pick<HoldRecord, 'moved' | 'reminded'> =>
  Object.fromEntries(
    Object.entries(times).filter(([, time]) => typeof time === 'string' && parseTime(time) !== undefined),
  );
