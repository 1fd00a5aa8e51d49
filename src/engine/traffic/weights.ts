// The backends of a rule: the legs of a split in place of the user's Service, and back. The shares of other backends do not change.
import type { BackendRef, RouteRule } from '../../api/traffic.ts';
import { canonicalJson, sameJson } from '../lib/template.ts';
import { RouteError } from './provider.ts';
import { WHOLE, legNames, type RouteRecord, type Split } from './split.ts';

/** Limits of the Gateway API. */
const MAX_WEIGHT = 1_000_000;
const MAX_REFS = 16;

/** With this sum, weights read as percentages, or as thousandths. */
const READABLE = [100, WHOLE];

type Refs = readonly BackendRef[];

/** The name of the Service of the route's namespace that the ref names. Undefined for another kind or namespace. */
export const serviceOf = (
  { group = '', kind = 'Service', name, namespace }: BackendRef,
  own: string | undefined,
): string | undefined =>
  group === '' && kind === 'Service' && (namespace === undefined || namespace === own) ? name : undefined;

/** Kubernetes' default is 1. A value that the API server would refuse, in a file or a record, counts as absent. */
export const weightOf = ({ weight = 1 }: BackendRef): number =>
  Number.isInteger(weight) && weight >= 0 && weight <= MAX_WEIGHT ? weight : 1;

/** True if the rule sends requests to the Service. */
export const usesService = ({ backendRefs = [] }: RouteRule, service: string, own: string | undefined): boolean =>
  backendRefs.some((ref) => serviceOf(ref, own) === service && weightOf(ref) > 0);

/** What the rules send to a Service now: whether they name it, and the sum of its weights. */
export function sentTo(
  rules: readonly RouteRule[],
  service: string,
  own: string | undefined,
): { readonly named: boolean; readonly weight: number } {
  const refs = rules.flatMap(({ backendRefs = [] }) => backendRefs.filter((ref) => serviceOf(ref, own) === service));
  return { named: refs.length > 0, weight: refs.reduce((sum, ref) => sum + weightOf(ref), 0) };
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
const gcdOf = (numbers: readonly number[]): number => numbers.reduce(gcd, 0);

/** The number by which the weights are multiplied so that all legs are integers. */
function factorFor(all: readonly number[], split: readonly number[], weight: number): number {
  const largest = Math.max(...all);
  // The least common multiple of what each ref needs.
  const least = split
    .map((one) => WHOLE / gcd(WHOLE, one * weight))
    .reduce((multiple, next) => (multiple * next) / gcd(multiple, next), 1);
  const found = [...READABLE, least].find((factor) => factor % least === 0 && factor * largest <= MAX_WEIGHT);
  if (found !== undefined) return found;
  throw new RouteError({
    about: 'route',
    reason: `its weights ${all.join(', ')} cannot be divided in ${weight} to ${WHOLE - weight}: a weight is at most ${MAX_WEIGHT}`,
    remedy: 'write smaller weights in the same proportion, or a step whose traffic divides them',
  });
}

/** The backends during the split. Throws {@link RouteError}. `own`: the namespace of the route. */
export function splitRefs(refs: Refs, split: Split, own: string | undefined): Refs {
  const isBase = (ref: BackendRef): boolean => serviceOf(ref, own) === split.base && weightOf(ref) > 0;
  const based = refs.filter(isBase);
  if (based.length === 0) return refs;
  const divisor = gcdOf(refs.map(weightOf));
  const reduced = (ref: BackendRef): number => weightOf(ref) / divisor;
  const factor = factorFor(refs.map(reduced), based.map(reduced), split.weight);
  const engaged = refs.flatMap((ref): Refs => {
    const total = reduced(ref) * factor;
    if (!isBase(ref)) return [{ ...ref, weight: total }];
    const canary = (total * split.weight) / WHOLE;
    const leg = (name: string, weight: number): BackendRef => ({ ...ref, name, weight });
    return [
      { ...ref, weight: split.mode === 'Shared' ? total - canary : 0 },
      ...(split.mode === 'Apart' ? [leg(split.stable, total - canary)] : []),
      ...(split.canary === undefined ? [] : [leg(split.canary, canary)]),
    ];
  });
  if (engaged.length <= MAX_REFS) return engaged;
  throw new RouteError({
    about: 'route',
    reason: `${refs.length} backendRefs become ${engaged.length} during a release: a rule has at most ${MAX_REFS}`,
    remedy: `remove backendRefs, or name Service ${split.base} in fewer of them`,
  });
}

/**
 * The user's backends of a rule of an engaged route. Where the rule is as the program wrote it, they are the recorded ones. Where somebody has edited
 * it, their weights have the proportion of the edit, and the legs of `service` count as the Service.
 */
export function stripRefs(refs: Refs, { service, record, candidates, own }: StripFacts): Refs {
  const recorded = record && candidates.find((user) => sameJson(refs, attempt(user, record.split, own)));
  if (recorded !== undefined) return recorded;
  const legs = legNames(service);
  const isLeg = (ref: BackendRef): boolean => legs.has(serviceOf(ref, own) ?? '');
  if (!refs.some(isLeg)) return refs;
  const sums: { readonly ref: BackendRef; readonly id: string; sum: number }[] = [];
  for (const ref of refs) {
    const one = isLeg(ref) ? { ...ref, name: service } : ref;
    const id = canonicalJson({ ...one, weight: null });
    // A leg stands behind the ref that it was made from.
    const before = isLeg(ref) ? sums.at(-1) : undefined;
    if (before?.id === id) before.sum += weightOf(ref);
    else sums.push({ ref: one, id, sum: weightOf(ref) });
  }
  const divisor = gcdOf(sums.map(({ sum }) => sum)) || 1;
  return sums.map(({ ref, sum }) => ({ ...ref, weight: sum / divisor }));
}

export interface StripFacts {
  /** The user's Service. */
  readonly service: string;
  readonly record: (RouteRecord & { readonly split: Split }) | undefined;
  /** The recorded backends that the rule may have had, the likeliest first. */
  readonly candidates: readonly Refs[];
  /** The namespace of the route. */
  readonly own: string | undefined;
}

/** Undefined if the split cannot be expressed: then the program did not write it. */
function attempt(refs: Refs, split: Split, own: string | undefined): Refs | undefined {
  try {
    return splitRefs(refs, split, own);
  } catch (error) {
    if (error instanceof RouteError) return undefined;
    throw error;
  }
}
