// The decision on an edit of a route that a release has changed: the user's part of the edit is kept, and the weights of the release stay. So an edit by a
// person or from Git is never fought over, and a dry run shows what is stored.
import { HELD, TRAFFIC } from '../../api/keys.ts';
import type { Route, RouteRule } from '../../api/traffic.ts';
import { patchMap, type PatchOp } from '../lib/json-patch.ts';
import { sameJson } from '../lib/template.ts';
import { providerOf } from '../traffic/registry.ts';
import { engaged, userRules, type EngagedRoute } from '../traffic/route.ts';
import { engage, isRefusal, strip } from '../traffic/rules.ts';
import type { TrafficProvider } from '../traffic/provider.ts';
import { isEngaged, ownerOf, routeRecord, type RouteRecord } from '../traffic/split.ts';
import { byOperator, isWrite, pass, type AdmissionDecision, type Facts } from './decision.ts';

type Rules = readonly RouteRule[];

export interface RouteFacts extends Facts {
  /** Undefined on CREATE. */
  readonly old: Route | undefined;
  /** Undefined on DELETE. */
  readonly next: Route | undefined;
}

/** Needs nothing but the objects: it decides while caches are empty, too. */
export function admitRoute(facts: RouteFacts): AdmissionDecision {
  if (byOperator(facts)) return pass;
  const { old, next, operation, warns } = facts;
  if (operation === 'DELETE') return { ...pass, warnings: warns && old ? leaving(old) : [] };
  if (!isWrite(facts) || next === undefined) return pass;
  const provider = providerOf(next.kind);
  if (provider === undefined) return pass;
  const record = old && isEngaged(old) ? routeRecord(old) : undefined;
  const { patch, warning } =
    record === undefined ? withoutRelease(provider, old, next) : rebased(provider, { old: old!, next, record });
  const verdict = patch.length > 0 ? 'Kept' : 'Passed';
  return { verdict, patch, warnings: warns && warning !== undefined ? [`tranche: ${warning}`] : [] };
}

interface Outcome {
  readonly patch: readonly PatchOp[];
  readonly warning?: string | undefined;
}

interface EngagedEdit {
  readonly old: Route;
  readonly next: Route;
  /** The record on the old object. */
  readonly record: RouteRecord;
}

/** The user's rules after the edit, with the split of the release. */
function rebased(provider: TrafficProvider, edit: EngagedEdit): Outcome {
  const { old, next, record } = edit;
  const { v: _v, user: _user, ...engagement } = record;
  const user = rulesAfter(provider, edit);
  const wanted = engaged(provider, user, engagement, next.metadata.namespace);
  if (isRefusal(wanted)) {
    const { reason, remedy } = wanted.problem;
    const warning = `${ownerOf(record)} cannot route requests with this ${next.kind}: ${reason}; ${remedy}; until then it is stored as you wrote it`;
    return { patch: patchOf(next, { rules: user }), warning };
  }
  return { patch: patchOf(next, wanted), warning: warningFor(old, next, user, record) };
}

/**
 * A manifest has the user's rules; the text of an editor has the rules of the release, which are recognised by the names of its Services. If the webhook
 * is called again in the same request (reinvocation), the record of the first call says what the user wrote: the rules are those that follow from it.
 */
function rulesAfter(provider: TrafficProvider, { next, record }: EngagedEdit): Rules {
  const { namespace } = next.metadata;
  const rules = next.spec.rules ?? [];
  const noted = routeRecord(next)?.user;
  const follows = (user: Rules): boolean => {
    const made = engage(provider, user, record.split, namespace);
    return !isRefusal(made) && sameJson(made, rules);
  };
  if (noted !== undefined && !sameJson(noted, record.user) && follows(noted)) return noted;
  return strip(provider, rules, record, record.split.base, namespace);
}

/** A route without a release: a manifest that was exported during one must not bring its weights and its label back. */
function withoutRelease(provider: TrafficProvider, old: Route | undefined, next: Route): Outcome {
  const record = routeRecord(next);
  if (record !== undefined && next.metadata.annotations?.[HELD] !== old?.metadata.annotations?.[HELD]) {
    return { patch: patchOf(next, { rules: userRules(provider, next, record.split.base) }) };
  }
  // The operator looks at an invalid record that existed before.
  const [label, text] = [old?.metadata.labels?.[TRAFFIC] ?? null, old?.metadata.annotations?.[HELD] ?? null];
  const { labels, annotations } = next.metadata;
  return {
    patch: [
      ...patchMap('/metadata/labels', labels, { [TRAFFIC]: label }),
      ...patchMap('/metadata/annotations', annotations, { [HELD]: text }),
    ],
  };
}

/** The label and the record belong to the rules: both are there, or none. */
function patchOf(
  next: Route,
  { rules, label, record }: Pick<EngagedRoute, 'rules'> & Partial<EngagedRoute>,
): PatchOp[] {
  const { labels, annotations } = next.metadata;
  const same = sameJson(next.spec.rules ?? [], rules);
  const op = next.spec.rules === undefined ? 'add' : 'replace';
  return [
    ...patchMap('/metadata/labels', labels, { [TRAFFIC]: label ?? null }),
    ...patchMap('/metadata/annotations', annotations, { [HELD]: record ?? null }),
    ...(same ? [] : [{ op, path: '/spec/rules', value: rules } as const]),
  ];
}

function warningFor(old: Route, next: Route, user: Rules, record: RouteRecord): string | undefined {
  const owner = ownerOf(record);
  const weights = record.split.mode !== 'Headers';
  if (!sameJson(user, record.user)) {
    return weights
      ? `${owner} has a release in progress: your change of this ${next.kind} is kept, and the weights of the release stay until it ends`
      : `${owner} has a release in progress: your change of this ${next.kind} is kept, and its own rules stay until the release ends`;
  }
  const rules = next.spec.rules ?? [];
  // The same manifest, or the same object again.
  if (sameJson(rules, user) || sameJson(rules, old.spec.rules ?? [])) return undefined;
  return weights
    ? `${owner} decides the weights of its Services in this ${next.kind} until the release ends; to change them, change traffic of its steps`
    : `${owner} decides the rules that change headers in this ${next.kind} until the release ends; to change them, change its strategy`;
}

function leaving(old: Route): string[] {
  const record = isEngaged(old) ? routeRecord(old) : undefined;
  if (record === undefined) return [];
  return [
    `tranche: ${ownerOf(record)} has a release in progress and routes requests with this ${old.kind}: the release waits until it exists again`,
  ];
}
