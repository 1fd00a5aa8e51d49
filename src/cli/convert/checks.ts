// Makes checks of the metrics of Argo Rollouts and Flagger: conditions become limits, and queries that are plainly a share become ratio checks.
import { MAX_CHECKS } from '../../api/schema/analysis.ts';
import type { Json } from '../../api/json.ts';
import { sameJson } from '../../engine/lib/template.ts';
import { show } from '../../engine/validate/violation.ts';
import { checkExpression, checkSelector, PromqlError } from '../../schema/promql.ts';
import { remainderOf, selectorOf, shareIn, type Selector } from '../../schema/promql-share.ts';

/** A MetricSource that a check needs. Without credentials. */
export interface Source {
  readonly name: string;
  readonly type: 'prometheus' | 'web';
  readonly url: string;
}

/** The checks of one Rollout. */
export class CheckList {
  readonly checks: Json[] = [];
  readonly sources: Source[] = [];

  /** The name of the check; an equal check is not added twice. Undefined if there are ten already. */
  add(wanted: string, spec: Json, source: Source | undefined): string | undefined {
    const check = { ...(source && { source: source.name }), ...spec };
    const base = nameFrom(wanted);
    for (let i = 1; ; i++) {
      const name = i === 1 ? base : `${base.slice(0, 36)}-${i}`;
      const known = this.checks.find((one) => one['name'] === name);
      if (known && sameJson(known, { name, ...check })) return name;
      if (known) continue;
      if (this.checks.length >= MAX_CHECKS) return undefined;
      this.checks.push({ name, ...check });
      if (source && !this.sources.some((one) => sameJson(one, source))) this.sources.push(source);
      return name;
    }
  }
}

const MAX_NAME = 40;

function nameFrom(text: string): string {
  const words = text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
  return words.join('-').slice(0, MAX_NAME).replace(/-$/, '') || 'check';
}

const USUAL_PORTS = new Set(['', '9090']);

/** The source at an address. Undefined if it is not one, or has placeholders. User and password of the address are left out. */
export function sourceAt(address: unknown, type: Source['type']): Source | undefined {
  if (typeof address !== 'string' || address.includes('{{') || !URL.canParse(address)) return undefined;
  const { protocol, host, hostname, port, pathname } = new URL(address);
  if ((protocol !== 'http:' && protocol !== 'https:') || hostname === '') return undefined;
  const labels = /^[\d.]+$|:/.test(hostname) ? hostname : hostname.split('.').slice(0, 2).join('-');
  const name = nameFrom(
    [labels, ...(USUAL_PORTS.has(port) ? [] : [port]), ...(type === 'web' ? ['web'] : [])].join('-'),
  );
  const path = type === 'web' ? '' : pathname.replace(/\/+$/, '');
  return { name, type, url: `${protocol}//${host}${path}` };
}

/** The good values. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** A limit that is not good itself in the condition, such as 0 in `result > 0`. The limits of a check are good values. */
export function excludedBy(condition: string, of: 'success' | 'failure'): number | undefined {
  const numbers = condition.split(/&&|\|\|/).flatMap((part) => {
    const [, operator = '', number] = COMPARISON.exec(unwrapped(part.trim().split(/\s+/).join(' '))) ?? [];
    return /^[<>]/.test(operator) && operator.endsWith('=') !== (of === 'success') ? [Number(number)] : [];
  });
  // A value that is not a whole number is hardly ever equal to its limit.
  return numbers.find(Number.isInteger);
}

const COMPARISON = /^(?:as(?:Float|Int)\( ?)?result(?:\[0\])?(?: ?\))? ?(>=|<=|==|>|<) ?(-?\d+(?:\.\d+)?)$/;

/** `result[0] >= 0.9 && result[0] < 2` → 0.9 to 2. Undefined for anything but comparisons with numbers. */
export const successBounds = (condition: string): Bounds | undefined => bounds(condition.split('&&'), 'success');

/** `result < 0.9 || result > 2` → 0.9 to 2. */
export const failureBounds = (condition: string): Bounds | undefined => bounds(condition.split('||'), 'failure');

function bounds(parts: readonly string[], of: 'success' | 'failure'): Bounds | undefined {
  let found: Bounds = {};
  for (const part of parts) {
    const text = part.trim().split(/\s+/).join(' ');
    const [, operator, number] = COMPARISON.exec(unwrapped(text)) ?? [];
    if (operator === undefined || number === undefined) return undefined;
    const value = Number(number);
    if (operator === '==') {
      if (of === 'failure' || parts.length > 1) return undefined;
      return { min: value, max: value };
    }
    const isMin = operator.startsWith('>') === (of === 'success');
    if (isMin ? found.min !== undefined : found.max !== undefined) return undefined;
    found = isMin ? { ...found, min: value } : { ...found, max: value };
  }
  return found;
}

const unwrapped = (text: string): string => /^\(([^()]*)\)$/.exec(text)?.[1]?.trim() ?? text;

export type Made = { readonly check: Json; readonly remark?: string } | { readonly problem: string };

/** The check of a PromQL query with placeholders of Tranche. `failures`: looks in a row. */
export function checkOf(query: string, limits: Bounds, failures: number): Made {
  const ratio = ratioOf(query, limits);
  if (ratio !== undefined) return ratio;
  try {
    checkExpression(query);
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { problem: `its query cannot be used: ${error.message}` };
  }
  return { check: { value: { query: query.trim(), ...limits, failures } } };
}

function ratioOf(query: string, { min, max }: Bounds): Made | undefined {
  const share = shareIn(query);
  if (share === undefined || (min === undefined) === (max === undefined)) return undefined;
  const { part, total, scale, rest } = share;
  // The bad requests are those of `part` if few of them are good, or the others.
  const partIsBad = (max !== undefined) !== rest;
  const bad = partIsBad ? part : remainderOf(part, total);
  const limit = max !== undefined ? max / scale : 1 - min! / scale;
  const percent = Number((limit * 100).toFixed(4));
  if (bad === undefined || !(percent > 0 && percent < 100)) return undefined;
  const [badText, totalText] = [ofPods(bad), ofPods(total)];
  if (badText === undefined || totalText === undefined) return undefined;
  return {
    check: { ratio: { bad: badText, total: totalText, limit: `${percent}%` } },
    remark:
      'its query is a share of requests, so it becomes a ratio check: the requests of the new Pods are counted, and chance is taken into account; ' +
      'the counters need a label for the Pod',
  };
}

/** The selector without matchers that limit it to this workload or version: Tranche adds its own. */
function ofPods({ name, matchers }: Selector): string | undefined {
  const kept = matchers.filter((matcher) => !/\{\{(namespace|workload|revision)\}\}/.test(matcher));
  const text = selectorOf({ name, matchers: kept });
  try {
    checkSelector(text);
    return text;
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return undefined;
  }
}

/** A number of seconds as intervalSeconds accepts it. */
export const intervalOf = (seconds: number): number => Math.min(3600, Math.max(5, seconds));

/** How long a step must be watched for so many looks. The first one may be an interval after the start, and ratio checks need requests. */
export const watchSeconds = (check: Json, interval: number, looks: number): number =>
  Math.min(604_800, Math.max('ratio' in check ? 300 : 60, interval * (looks + 1)));

/** A user's text in a remark. */
export const shown = (value: unknown): string => show(value);
