// What a gateway controller says about a route in its status. Pure.
import { backendOf, isOf } from './entries.ts';
import type { BackendRef, Condition, HeaderFilter, ParentStatus, Route, Service } from './types.ts';

export const CONTROLLER = 'tests.tranche.dev/envoy';

type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** The parents of the status as they are to be, with those of other controllers; or undefined if they are so. */
export function parentsOf(
  { metadata, spec, status }: Route<unknown>,
  { gateway, services, now }: { readonly gateway: string; readonly services: readonly Service[]; readonly now: string },
): readonly ParentStatus[] | undefined {
  const before = status?.parents ?? [];
  const rules = spec.rules ?? [];
  const refs = rules.flatMap(({ backendRefs }) => backendRefs ?? []);
  const filters = [...rules, ...refs].flatMap((each) => each.filters ?? []);
  const verdicts = [accepted(filters), resolved(refs, services)];
  const own = (spec.parentRefs ?? [])
    .filter((parent) => isOf(gateway, parent))
    .map((parentRef) => {
      const old = before.find((each) => each.controllerName === CONTROLLER && sameRef(each.parentRef, parentRef));
      const conditions = verdicts.map((verdict) => conditionOf(verdict, old?.conditions, metadata.generation, now));
      return { parentRef, controllerName: CONTROLLER, conditions };
    });
  const parents = [...before.filter(({ controllerName }) => controllerName !== CONTROLLER), ...own];
  return JSON.stringify(parents) === JSON.stringify(before) ? undefined : parents;
}

const sameRef = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);

function conditionOf(
  verdict: Verdict,
  old: readonly Condition[] | undefined,
  generation: number | undefined,
  now: string,
): Condition {
  const before = old?.find(({ type }) => type === verdict.type);
  const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : now;
  const { type, status, reason, message } = verdict;
  // In the order of the fields in the CRD, in which an API server may return them.
  return {
    lastTransitionTime,
    message,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    reason,
    status,
    type,
  };
}

function accepted(filters: readonly HeaderFilter[]): Verdict {
  const other = filters.find(({ type }) => type !== 'RequestHeaderModifier');
  return other
    ? {
        type: 'Accepted',
        status: 'False',
        reason: 'UnsupportedValue',
        message: `filter ${other.type} is not supported`,
      }
    : { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' };
}

function resolved(refs: readonly BackendRef[], services: readonly Service[]): Verdict {
  const lost = refs.find((ref) => backendOf(ref, services, false) === undefined);
  return lost
    ? {
        type: 'ResolvedRefs',
        status: 'False',
        reason: 'BackendNotFound',
        message: `Service ${lost.name} with port ${lost.port} does not exist`,
      }
    : { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: '' };
}
