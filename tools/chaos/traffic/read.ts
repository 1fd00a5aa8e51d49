// Reads what the judge of traffic needs from raw objects of the API server. It imports nothing of src/, because that is the code under test.

/* eslint-disable @typescript-eslint/no-explicit-any -- raw objects of the API server */

const HASH = 'pod-template-hash';
const SERVICE_NAME = 'kubernetes.io/service-name';

/** The weights of one rule, by the name of the Service. Services of other names are the user's own. */
export interface Shares {
  readonly base: number;
  readonly stable: number;
  readonly canary: number;
  readonly others: readonly { readonly name: string; readonly weight: number }[];
  readonly total: number;
}

export const hashOf = ({ metadata }: any): string | undefined => metadata.labels?.[HASH];

/** The version that a leg selects. */
export const selectedBy = (service: any): string | undefined => service?.spec.selector?.[HASH];

const weightOf = ({ weight = 1 }: any): number => weight;
const refsOf = (rule: any): any[] => rule.backendRefs ?? [];

export const rulesOf = (route: any): any[] => route?.spec.rules ?? [];

/** What a route sends to a Service: whether it names it, and the sum of its weights. */
export function sentTo(route: any, service: string): { readonly named: boolean; readonly weight: number } {
  const refs = rulesOf(route)
    .flatMap(refsOf)
    .filter(({ name }) => name === service);
  return { named: refs.length > 0, weight: refs.reduce((sum, ref) => sum + weightOf(ref), 0) };
}

/** The rules that are made from the user's, in their order: all but those that only name the canary leg. */
export const userRulesOf = (route: any, service: string): any[] =>
  rulesOf(route).filter((rule) => {
    const refs = refsOf(rule);
    return refs.length === 0 || refs.some(({ name }) => name !== `${service}-canary`);
  });

export function sharesOf(rule: any, service: string): Shares {
  const sum = (name: string): number =>
    refsOf(rule)
      .filter((ref) => ref.name === name)
      .reduce((all, ref) => all + weightOf(ref), 0);
  const [base, stable, canary] = [sum(service), sum(`${service}-stable`), sum(`${service}-canary`)];
  const others = refsOf(rule)
    .filter(({ name }) => ![service, `${service}-stable`, `${service}-canary`].includes(name))
    .map((ref) => ({ name: ref.name as string, weight: weightOf(ref) }));
  const total = refsOf(rule).reduce((all, ref) => all + weightOf(ref), 0);
  return { base, stable, canary, others, total };
}

/** What is wrong with the weights of a route: a rule has none, or a Service that is not ours has another share than in the user's rules. */
export function* wrongWeights(route: any, user: readonly any[] | undefined, service: string): Generator<string> {
  for (const rule of rulesOf(route))
    if (refsOf(rule).length > 0 && sharesOf(rule, service).total === 0) yield 'all weights of a rule are 0';
  const live = userRulesOf(route, service);
  for (const [index, rule] of (user ?? []).entries()) {
    const [wanted, found] = [sharesOf(rule, service), sharesOf(live[index] ?? {}, service)];
    const isSame = wanted.others.every(
      (other, i) => (found.others[i]?.weight ?? NaN) * wanted.total === other.weight * found.total,
    );
    if (!isSame) yield `the share of another Service changed in rule ${index}`;
  }
}

/** The uids of the Pods that are ready endpoints of a Service, by these EndpointSlices. */
export const endpointsOf = (slices: Iterable<any>, service: string): string[] =>
  [...slices]
    .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === service)
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false && conditions?.terminating !== true)
    .map(({ targetRef }) => targetRef?.uid ?? '');

export const isReadyPod = ({ metadata, status }: any): boolean =>
  metadata.deletionTimestamp === undefined &&
  status?.conditions?.some(({ type, status: is }: any) => type === 'Ready' && is === 'True') === true;

/** The share of the requests that a step asks for, from 0 to 1. Undefined if it routes nothing. Requests that match are not counted. */
export function askedBy(step: any): number | undefined {
  if ((step?.matches ?? []).length > 0) return 0;
  return step?.traffic === undefined ? undefined : Number.parseFloat(step.traffic) / 100;
}
