// Recognizes PromQL that is plainly a share of counters, sum(rate(A)) / sum(rate(B)), so that the converter can make a ratio check of it.
import { parser } from '@prometheus-io/lezer-promql';

/** The query is `scale * part / total`, or `scale * (1 - part / total)` if `rest` is true. */
export interface Share {
  readonly part: Selector;
  readonly total: Selector;
  /** 1, or 100 for percentages. */
  readonly scale: number;
  readonly rest: boolean;
}

/** A selector of a counter. */
export interface Selector {
  readonly name: string;
  /** As written: `code=~"5.."`. */
  readonly matchers: readonly string[];
}

type Node = ReturnType<typeof parser.parse>['topNode'];

/** Undefined for any other query. */
export function shareIn(query: string): Share | undefined {
  const tree = parser.parse(query);
  let broken = false;
  tree.iterate({
    enter: ({ type }) => {
      broken ||= type.isError;
    },
  });
  const [root] = childrenOf(tree.topNode);
  return broken || root === undefined ? undefined : share(root, query);
}

function share(node: Node, query: string): Share | undefined {
  if (node.name === 'ParenExpr') {
    const [inner] = childrenOf(node);
    return inner && share(inner, query);
  }
  const [left, operator, right, ...more] = node.name === 'BinaryExpr' ? childrenOf(node) : [];
  if (left === undefined || operator === undefined || right === undefined || more.length > 0) return undefined;
  switch (operator.name) {
    case 'Div': {
      const [part, total] = [counterIn(left, query), counterIn(right, query)];
      return part && total && { part, total, scale: 1, rest: false };
    }
    case 'Mul': {
      const [number, other] = left.name === NUMBER ? [left, right] : [right, left];
      const scaled = numberIn(number, query) === 100 ? share(other, query) : undefined;
      return scaled?.scale === 1 ? { ...scaled, scale: 100 } : undefined;
    }
    case 'Sub': {
      const taken = share(right, query);
      return taken?.rest === false && numberIn(left, query) === taken.scale ? { ...taken, rest: true } : undefined;
    }
    default:
      return undefined;
  }
}

const NUMBER = 'NumberDurationLiteral';
const RATES = new Set(['rate', 'irate', 'increase']);

const numberIn = (node: Node, query: string): number | undefined =>
  node.name === NUMBER ? Number(query.slice(node.from, node.to)) : undefined;

/** The counter of `sum(rate(COUNTER[1m]))`. */
function counterIn(node: Node, query: string): Selector | undefined {
  if (node.name === 'ParenExpr') {
    const [inner] = childrenOf(node);
    return inner && counterIn(inner, query);
  }
  const [operator, body, ...more] = node.name === 'AggregateExpr' ? childrenOf(node) : [];
  if (operator === undefined || body === undefined || more.length > 0 || textOf(operator, query) !== 'sum')
    return undefined;
  const [call] = childrenOf(body);
  const [name, args] = call?.name === 'FunctionCall' ? childrenOf(call) : [];
  if (name === undefined || args === undefined || !RATES.has(textOf(name, query))) return undefined;
  const vector = args.getChild('MatrixSelector')?.getChild('VectorSelector');
  const metric = vector?.getChild('Identifier');
  if (!vector || !metric) return undefined;
  const matchers = childrenOf(vector.getChild('LabelMatchers') ?? undefined);
  return { name: textOf(metric, query), matchers: matchers.map((matcher) => textOf(matcher, query)) };
}

const textOf = ({ from, to }: Node, query: string): string => query.slice(from, to).trim();

function childrenOf(node: Node | undefined): Node[] {
  const found: Node[] = [];
  for (let child = node?.firstChild ?? null; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

export const selectorOf = ({ name, matchers }: Selector): string =>
  matchers.length === 0 ? name : `${name}{${matchers.join(',')}}`;

/** The requests of `total` that are not in `part`. Undefined unless one negative matcher is the only difference. */
export function remainderOf(part: Selector, total: Selector): Selector | undefined {
  const extra = part.matchers.filter((matcher) => !total.matchers.includes(matcher));
  const [only] = extra;
  const negated = only === undefined ? undefined : /^([A-Za-z_]\w*)\s*!([~=])\s*(.*)$/s.exec(only);
  if (!negated || extra.length > 1 || part.name !== total.name || part.matchers.length !== total.matchers.length + 1)
    return undefined;
  const [, label, kind, value] = negated;
  return { name: part.name, matchers: [...total.matchers, `${label}=${kind === '~' ? '~' : ''}${value}`] };
}
