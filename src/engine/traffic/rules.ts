// Makes the rules of a route carry a split, and gives the user's rules back. Always computed from the user's rules, so nothing is left over.
import type { BackendRef, HeaderModifier, RouteFilter, RouteMatch, RouteRule } from '../../api/traffic.ts';
import { show } from '../validate/violation.ts';
import { RouteError, type Problem, type TrafficProvider } from './provider.ts';
import { legName, legNames, type ApartSplit, type HeaderSplit, type RouteRecord, type Split } from './split.ts';
import { sameJson } from '../lib/template.ts';
import { serviceOf, splitRefs, stripRefs, usesService, weightOf } from './weights.ts';

type Rules = readonly RouteRule[];

/** Limits of the Gateway API. */
const MAX_RULES = 16;
const MAX_MATCHES_PER_RULE = 64;
const MAX_MATCHES = 128;
const MAX_FILTERS = 16;
const MODIFIER = 'RequestHeaderModifier';

/** A route cannot express the split: nothing is written. */
export interface Refusal {
  readonly problem: Problem;
}

/** The user's rules during the split. `own`: the namespace of the route. */
export function engage(
  provider: TrafficProvider,
  user: Rules,
  split: Split | HeaderSplit,
  own: string | undefined,
): Rules | Refusal {
  try {
    const rules = user.flatMap((rule) => [...matchRules(provider, rule, split, own), baseRule(rule, split, own)]);
    checkLimits(rules);
    return rules;
  } catch (error) {
    if (error instanceof RouteError) return { problem: error.problem };
    throw error;
  }
}

export const isRefusal = (engaged: object): engaged is Refusal => 'problem' in engaged;

/**
 * The user's rules of an engaged route, with the edits that somebody has made in it. Rules and backends of ours are recognised by the names of their
 * Services, and rules that change headers as what the record makes of another rule. Besides, the record only supplies the weights that ours replaced,
 * so a false record has no other effect.
 */
export function strip(
  provider: TrafficProvider,
  live: Rules,
  recorded: RouteRecord | undefined,
  service: string,
  own: string | undefined,
): Rules {
  if (recorded?.split.mode === 'Headers') {
    const added = addedBy(provider, [...recorded.user, ...live], recorded.split, own);
    return live.filter((rule) => !added.some((ours) => sameJson(ours, rule)));
  }
  return stripLegs(live, recorded as RolloutRecord | undefined, service, own);
}

type RolloutRecord = RouteRecord & { readonly split: Split };

function stripLegs(live: Rules, record: RolloutRecord | undefined, service: string, own: string | undefined): Rules {
  const canary = legName(service, 'canary');
  const kept = live.filter(({ backendRefs = [] }) => !isOnly(backendRefs, canary, own));
  const user = record?.user ?? [];
  const recorded = user.map(({ backendRefs }) => backendRefs ?? []);
  return kept.map((rule, index) => {
    if (rule.backendRefs === undefined) return rule;
    // Only the same number of rules tells which one this was.
    const likely = kept.length === user.length ? recorded.slice(index, index + 1) : [];
    const candidates = [...likely, ...recorded];
    const backendRefs = stripRefs(rule.backendRefs, { service, record, candidates, own });
    return backendRefs === rule.backendRefs ? rule : { ...rule, backendRefs };
  });
}

const isOnly = (refs: readonly BackendRef[], service: string, own: string | undefined): boolean =>
  refs.length > 0 && refs.every((ref) => serviceOf(ref, own) === service);

/** The names of the legs that rules name. */
export function legsIn(rules: Rules, service: string, own: string | undefined): ReadonlySet<string> {
  const legs = legNames(service);
  const names = rules.flatMap(({ backendRefs = [] }) => backendRefs.map((ref) => serviceOf(ref, own) ?? ''));
  return new Set(names.filter((name) => legs.has(name)));
}

/** The rules that the split adds to these. A rule that it cannot be put before adds none. */
const addedBy = (provider: TrafficProvider, rules: Rules, split: HeaderSplit, own: string | undefined): Rules =>
  rules.flatMap((rule) => {
    try {
      return matchRules(provider, rule, split, own);
    } catch (error) {
      if (error instanceof RouteError) return [];
      throw error;
    }
  });

function baseRule(rule: RouteRule, split: Split | HeaderSplit, own: string | undefined): RouteRule {
  if (split.mode === 'Headers' || !usesService(rule, split.base, own)) return rule;
  return { ...rule, backendRefs: splitRefs(rule.backendRefs ?? [], split, own) };
}

/** The rules before a rule of the user: they take the requests that a step's matches select. */
function matchRules(
  provider: TrafficProvider,
  rule: RouteRule,
  split: Split | HeaderSplit,
  own: string | undefined,
): Rules {
  if (split.mode === 'Shared' || !usesService(rule, split.base, own)) return [];
  const { matches: wanted = [] } = split;
  if (wanted.length === 0) return [];
  const matches = provider.narrow(rule, wanted);
  // Names of rules are unique, so a copy has none.
  const { name: _name, matches: _matches, backendRefs = [], filters = [], ...copied } = rule;
  const refs = split.mode === 'Headers' ? backendRefs : canaryRefs(backendRefs, split, own);
  if (refs.length === 0) return [];
  const changed = withModifier(filters, split.requestHeaderModifier);
  const ruleOf = (some: readonly RouteMatch[]): RouteRule => ({
    ...copied,
    matches: some,
    ...(changed.length > 0 && { filters: changed }),
    backendRefs: refs,
  });
  if (!replacesPrefix(filters) && !refs.some((ref) => replacesPrefix(ref.filters ?? []))) {
    return matches.length === 0 ? [] : [ruleOf(matches)];
  }
  // The API then accepts one match only. Its path must stay: it is what the filter replaces.
  const [path] = rule.matches ?? [];
  if (matches.some((match) => match.path?.value !== path?.path?.value)) {
    const reason = 'a rule that replaces the prefix of the path cannot match another path';
    throw new RouteError({ about: 'matches', reason, remedy: 'match headers or query parameters only' });
  }
  return matches.map((match) => ruleOf([match]));
}

const canaryRefs = (
  refs: readonly BackendRef[],
  { base, canary }: ApartSplit,
  own: string | undefined,
): BackendRef[] =>
  canary === undefined
    ? []
    : refs.filter((ref) => serviceOf(ref, own) === base && weightOf(ref) > 0).map((ref) => ({ ...ref, name: canary }));

const replacesPrefix = (filters: readonly RouteFilter[]): boolean =>
  filters.some(({ urlRewrite, requestRedirect }) =>
    [urlRewrite, requestRedirect].some(
      (filter) => (filter as { path?: { type?: string } } | undefined)?.path?.type === 'ReplacePrefixMatch',
    ),
  );

/** The filters with the step's changes of headers. A rule has at most one such filter, so the user's is extended. */
function withModifier(
  filters: readonly RouteFilter[],
  modifier: ApartSplit['requestHeaderModifier'],
): readonly RouteFilter[] {
  if (modifier === undefined) return filters;
  const theirs = filters.find(({ type }) => type === MODIFIER);
  if (theirs === undefined) {
    if (filters.length < MAX_FILTERS) return [...filters, { type: MODIFIER, requestHeaderModifier: modifier }];
    const reason = `a rule of it already has ${MAX_FILTERS} filters, the most that are possible`;
    throw new RouteError({ about: 'requestHeaderModifier', reason, remedy: 'remove it' });
  }
  const before = theirs.requestHeaderModifier ?? {};
  const names = new Set(namesIn(before));
  const both = namesIn(modifier).find((name) => names.has(name));
  if (both !== undefined) {
    const reason = `a rule of it already changes header ${show(both)}`;
    throw new RouteError({ about: 'requestHeaderModifier', reason, remedy: 'change other headers' });
  }
  const requestHeaderModifier = joined(before, modifier);
  return filters.map((filter) => (filter === theirs ? { ...filter, requestHeaderModifier } : filter));
}

const namesIn = ({ set = [], add = [], remove = [] }: HeaderModifier): readonly string[] =>
  [...[...set, ...add].map(({ name }) => name), ...remove].map((name) => name.toLowerCase());

function joined(a: HeaderModifier, b: HeaderModifier): HeaderModifier {
  const lists = (['set', 'add', 'remove'] as const).map(
    (key) => [key, [...(a[key] ?? []), ...(b[key] ?? [])]] as const,
  );
  const long = lists.find(([, list]) => list.length > MAX_FILTERS);
  if (long === undefined) return Object.fromEntries(lists.filter(([, list]) => list.length > 0));
  const reason = `a rule would ${long[0]} ${long[1].length} headers: at most ${MAX_FILTERS} are possible`;
  throw new RouteError({ about: 'requestHeaderModifier', reason, remedy: 'change fewer headers' });
}

function checkLimits(rules: Rules): void {
  const counts = rules.map(({ matches = [] }) => matches.length);
  const all = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(0, ...counts);
  const limit = (count: number, what: string, max: number): Problem => ({
    about: 'matches',
    reason: `it would have ${count} ${what}: at most ${max} are possible`,
    remedy: 'write fewer matches in the step, or fewer rules or matches in the route',
  });
  if (rules.length > MAX_RULES) throw new RouteError(limit(rules.length, 'rules', MAX_RULES));
  if (most > MAX_MATCHES_PER_RULE) throw new RouteError(limit(most, 'matches in a rule', MAX_MATCHES_PER_RULE));
  if (all > MAX_MATCHES) throw new RouteError(limit(all, 'matches', MAX_MATCHES));
}
