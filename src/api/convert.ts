// Converts Rollouts between v1alpha1 and v1beta1 without loss: an annotation keeps what the other version cannot express.
import { isObject, type Json } from './json.ts';
import { CONVERSION, ROLLING_STYLE, TRAFFIC_ROUTING } from './keys.ts';
import { nestsTooDeep } from './nesting.ts';
import { applyDifference, difference, type Difference } from './overlay.ts';

export type Version = 'v1alpha1' | 'v1beta1';
/**
 * Returns the Rollout in another version. Never throws: values with a wrong type are copied unchanged, and the schema refuses them later.
 * The mapping alone loses some fields. Therefore the result is mapped back, and the annotation records the differences to the original. The
 * next conversion restores each of them, unless its place has changed in the meantime.
 */
export function convertRollout(rollout: Json, group: string, from: Version, to: Version): Json {
  if (from === to) return rollout;
  const [there, back] = from === 'v1alpha1' ? [toBeta, toAlpha] : [toAlpha, toBeta];
  const { rest, noted } = takeNote(rollout, to);
  const mapped = there(rest);
  const result = noted === undefined ? mapped : (applyDifference(mapped, noted) as Json);
  const lost = difference(back(result), rest);
  return { ...(lost === undefined ? result : addNote(result, from, lost)), apiVersion: `${group}/${to}` };
}

interface Note {
  /** The version that the difference applies to. */
  readonly of: Version;
  readonly lost: Difference;
  /** A value that the annotation had before and that was not a note. */
  readonly over?: string;
}

/** Returns the object without the note, and the note if it applies to version `to`. */
function takeNote(object: Json, to: Version): { readonly rest: Json; readonly noted: Difference | undefined } {
  const text = annotationsOf(object)?.[CONVERSION];
  if (typeof text !== 'string') return { rest: object, noted: undefined };
  const note = parse(text);
  if (note === undefined || note.of !== to) return { rest: object, noted: undefined };
  const over = typeof note.over === 'string' ? note.over : undefined;
  return { rest: withAnnotation(object, CONVERSION, over), noted: note.lost };
}

function addNote(object: Json, of: Version, lost: Difference): Json {
  const over = annotationsOf(object)?.[CONVERSION];
  const note: Note = { of, lost, ...(typeof over === 'string' && { over }) };
  return withAnnotation(object, CONVERSION, JSON.stringify(note));
}

/** Ignores an invalid note. Users can write any value to the annotation, and a failed conversion would make the list of all Rollouts fail. */
function parse(text: string): Note | undefined {
  if (nestsTooDeep(text)) return undefined;
  try {
    const note: unknown = JSON.parse(text);
    return isObject(note) && isObject(note['lost']) ? (note as unknown as Note) : undefined;
  } catch {
    return undefined;
  }
}

function toBeta(alpha: Json): Json {
  const annotations = annotationsOf(alpha);
  const { spec, status } = alpha;
  return {
    ...alpha,
    ...(isObject(spec) && { spec: specToBeta(spec, annotations) }),
    ...(isObject(status) && { status: statusToBeta(status) }),
  };
}

function specToBeta({ objectRef, rolloutID: _, ...spec }: Json, annotations: Json | undefined): Json {
  const style = annotations?.[ROLLING_STYLE];
  const partition = typeof style === 'string' && style.toLowerCase() === 'partition';
  const route = annotations?.[TRAFFIC_ROUTING];
  const ref = isObject(objectRef) ? objectRef['workloadRef'] : undefined;
  return {
    ...(ref !== undefined && { workloadRef: ref }),
    ...spec,
    ...mapCanary(spec, (canary) => ({
      ...mapSteps(canary, ({ weight, ...step }) =>
        typeof weight === 'number'
          ? { ...(step['replicas'] === undefined && { replicas: `${weight}%` }), ...step, traffic: `${weight}%` }
          : step,
      ),
      ...(!partition && { enableExtraWorkloadForCanary: true }),
      ...(typeof route === 'string' && route !== '' && { trafficRoutingRef: route }),
    })),
  };
}

/** v1beta1 has the current step also outside canaryStatus. */
const statusToBeta = (status: Json): Json => {
  const canary = status['canaryStatus'];
  return isObject(canary) ? { ...status, ...pick(canary, ['currentStepIndex', 'currentStepState']) } : status;
};

function toAlpha(beta: Json): Json {
  const { spec, status } = beta;
  const canary = isObject(spec) && isObject(spec['strategy']) ? spec['strategy']['canary'] : undefined;
  const annotated = isObject(canary) ? styleToAlpha(beta, canary) : beta;
  return {
    ...annotated,
    ...(isObject(spec) && { spec: specToAlpha(spec) }),
    ...(isObject(status) && { status: statusToAlpha(status) }),
  };
}

/** Writes the annotations that v1alpha1 has instead of fields. Without the style annotation, v1alpha1 means the canary style. */
function styleToAlpha(beta: Json, canary: Json): Json {
  const style = annotationsOf(beta)?.[ROLLING_STYLE];
  const partition = typeof style === 'string' && style.toLowerCase() === 'partition';
  const extra = canary['enableExtraWorkloadForCanary'] === true;
  const styled = extra === !partition ? beta : withAnnotation(beta, ROLLING_STYLE, extra ? 'canary' : 'partition');
  const route = canary['trafficRoutingRef'];
  return typeof route === 'string' && route !== '' ? withAnnotation(styled, TRAFFIC_ROUTING, route) : styled;
}

function specToAlpha({ workloadRef, ...spec }: Json): Json {
  const strategy = spec['strategy'];
  const { blueGreen: _, ...rest } = isObject(strategy) ? strategy : {};
  const alpha = { ...spec, ...(isObject(strategy) && { strategy: rest }) };
  return {
    ...(workloadRef !== undefined && { objectRef: { workloadRef } }),
    ...alpha,
    ...mapCanary(alpha, ({ enableExtraWorkloadForCanary: _extra, trafficRoutingRef: _route, ...canary }) =>
      mapSteps(canary, ({ traffic, matches, ...step }) => ({
        ...step,
        ...(Array.isArray(matches) && { matches: matches.map(headersOnly) }),
        ...weightOf(traffic),
      })),
    ),
  };
}

const statusToAlpha = ({
  currentStepIndex: _index,
  currentStepState: _state,
  blueGreenStatus: _blueGreen,
  ...status
}: Json): Json => status;

const headersOnly = (match: unknown): unknown => (isObject(match) ? pick(match, ['headers']) : match);

const weightOf = (traffic: unknown): Json => {
  const percent = typeof traffic === 'string' ? /^(\d{1,9})%$/.exec(traffic)?.[1] : undefined;
  return percent === undefined ? {} : { weight: Number(percent) };
};

function mapCanary(spec: Json, map: (canary: Json) => Json): Json {
  const strategy = spec['strategy'];
  if (!isObject(strategy) || !isObject(strategy['canary'])) return {};
  return { strategy: { ...strategy, canary: map(strategy['canary']) } };
}

const mapSteps = (canary: Json, map: (step: Json) => Json): Json =>
  Array.isArray(canary['steps'])
    ? { ...canary, steps: canary['steps'].map((step: unknown) => (isObject(step) ? map(step) : step)) }
    : canary;

const annotationsOf = (object: Json): Json | undefined => {
  const metadata = object['metadata'];
  return isObject(metadata) && isObject(metadata['annotations']) ? metadata['annotations'] : undefined;
};

/** Returns a copy with the annotation set, or removed if `value` is undefined. Removes the annotations map if it becomes empty. */
function withAnnotation(object: Json, key: string, value: string | undefined): Json {
  const { annotations: _, ...metadata } = isObject(object['metadata']) ? object['metadata'] : {};
  const { [key]: _old, ...others } = annotationsOf(object) ?? {};
  const annotations = value === undefined ? others : { ...others, [key]: value };
  const empty = Object.keys(annotations).length === 0;
  return { ...object, metadata: { ...metadata, ...(!empty && { annotations }) } };
}

const pick = (object: Json, keys: readonly string[]): Json =>
  Object.fromEntries(keys.flatMap((key) => (object[key] === undefined ? [] : [[key, object[key]]])));
