// The requests that both a rule of a route and a step's match select, as matches of the Gateway API.
import type { KeyMatch, PathMatch } from '../../api/traffic.ts';
import { show } from '../validate/violation.ts';
import { RouteError } from './provider.ts';

/** With the defaults of the Gateway API. */
type Path = Required<PathMatch>;

/** The limit of the Gateway API, for headers and for query parameters. */
const MAX_KEYS = 16;
const EVERYTHING: Path = { type: 'PathPrefix', value: '/' };

const withDefaults = ({ type = EVERYTHING.type, value = EVERYTHING.value }: PathMatch): Path => ({ type, value });

/** `PathPrefix "/shop"`, for messages. */
const shown = ({ type, value }: Path): string => `${type} ${show(value)}`;

/** Prefixes consist of whole elements: /shop contains /shop/cart and not /shopping. */
function contains(outer: Path, inner: Path): boolean {
  if (outer.type !== 'PathPrefix') return false;
  const prefix = outer.value.replace(/\/$/, '');
  if (prefix === '') return true;
  return inner.type !== 'RegularExpression' && (inner.value === prefix || inner.value.startsWith(`${prefix}/`));
}

/** The path of the requests that both select. Undefined if there are none. */
export function bothPaths(rule: PathMatch = EVERYTHING, wanted: PathMatch = EVERYTHING): Path | undefined {
  const [a, b] = [withDefaults(rule), withDefaults(wanted)];
  if (a.type === b.type && a.value === b.value) return a;
  if (contains(a, b)) return b;
  if (contains(b, a)) return a;
  if (a.type !== 'RegularExpression' && b.type !== 'RegularExpression') return undefined;
  throw new RouteError({
    about: 'matches',
    reason: `a rule with path ${shown(a)} cannot also match path ${shown(b)}: a match has one path`,
    remedy: 'match headers or query parameters instead of the path',
  });
}

/** The comparisons of both. Undefined if no request can fulfil them. `what`: header or query parameter. */
export function bothKeys(
  what: string,
  rule: readonly KeyMatch[] = [],
  wanted: readonly KeyMatch[] = [],
): readonly Required<KeyMatch>[] | undefined {
  // Names of headers are compared without case.
  const idOf = (name: string): string => (what === 'header' ? name.toLowerCase() : name);
  const found = new Map<string, Required<KeyMatch>>();
  for (const { type = 'Exact', name, value } of [...rule, ...wanted]) {
    const other = found.get(idOf(name));
    if (other === undefined) found.set(idOf(name), { type, name, value });
    else if (other.type === 'Exact' && type === 'Exact' && other.value !== value) return undefined;
    else if (other.type !== type || other.value !== value) {
      throw new RouteError({
        about: 'matches',
        reason: `a rule that matches ${what} ${show(name)} cannot match it in a second way`,
        remedy: `match another ${what}`,
      });
    }
  }
  if (found.size <= MAX_KEYS) return [...found.values()];
  throw new RouteError({
    about: 'matches',
    reason: `a rule would match ${found.size} times a ${what}: at most ${MAX_KEYS} are possible`,
    remedy: `match fewer ${what}s`,
  });
}
