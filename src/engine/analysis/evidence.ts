// Evidence as a number that may be looked at at any time: mixture sequential tests for counts of requests.
//
// A test gives each look a factor. Under the hypothesis that the test can refute, a factor is 1 or less on average, given all looks before it. The
// evidence is a weighted mean of products of such factors, over a few alternatives and over the looks at which the change may have begun. By Ville's
// inequality, it ever reaches 1/α with a probability of at most α. This holds however often one looks, whenever one stops, and however the share of
// the new version changes from look to look. (Wald 1945; Robbins 1970; Johari et al., "Always Valid Inference"; Lindon and Malek, "Anytime-Valid
// Inference for Multinomial Count Data", 2022.)

/** Requests in one look, and the bad ones among them. Integers, 0 or more; bad is at most total. */
export interface Counts {
  readonly total: number;
  readonly bad: number;
}

export interface Look {
  /** Pods of the new version. */
  readonly fresh: Counts;
  /** Pods of the stable version. Only relative tests use them. */
  readonly stable: Counts;
}

/** All that a test knows of the looks so far. A test can be resumed from it. */
export interface Evidence {
  /** Number of looks that could show anything. */
  readonly looks: number;
  /** For each alternative: the sum of the products that have begun, times their weights. */
  readonly sums: readonly number[];
}

export interface Test {
  readonly start: Evidence;
  add(before: Evidence, look: Look): Evidence;
  /** The evidence as a number: 1 at the start, and the higher, the less likely by chance. */
  value(evidence: Evidence): number;
}

/** The look at which a product begins. All weights are 1 together. */
interface Beginning {
  weight(look: number): number;
  /** The weight of this look and all later ones. */
  later(look: number): number;
}

/** The whole release is judged. */
const FIRST_LOOK: Beginning = { weight: (look) => (look === 0 ? 1 : 0), later: (look) => (look === 0 ? 1 : 0) };
/**
 * The change may begin at any look. Without this, an hour without errors would have to be made up for before a version that breaks then is noticed.
 * It costs a factor of 2 at the first look and of about n² at look n.
 */
const ANY_LOOK: Beginning = { weight: (look) => 1 / ((look + 1) * (look + 2)), later: (look) => 1 / (look + 1) };

/** The alternatives that a test looks for, as multiples of the limit. */
const WORSE = [1.5, 2, 3, 5, 10, 30];
const ABSOLUTELY_WORSE = [1.5, 2, 3, 5, 10];
const BETTER = [1, 0.7, 0.4];
/** A rate of an alternative is below 1, because its logarithm is needed. */
const HIGHEST_RATE = 0.999;

/** Keeps a sum a number that JSON can carry. */
const HIGHEST_SUM = 1e300;

/** The largest factor that one look may give, so that no look decides alone: at least three bad looks are needed. */
export const capFor = (alpha: number): number => (alpha * ANY_LOOK.weight(0)) ** (-1 / 3);

/** `factor`: logarithm of the factor of a look, or undefined if the look cannot show anything. */
function test(
  beginning: Beginning,
  alternatives: readonly number[],
  cap: number,
  factor: (look: Look, alternative: number) => number | undefined,
): Test {
  const most = Math.log(cap);
  return {
    start: { looks: 0, sums: alternatives.map(() => 0) },
    add(before, look) {
      const factors = alternatives.map((alternative) => factor(look, alternative));
      if (factors.includes(undefined)) return before;
      const begun = beginning.weight(before.looks);
      const sums = before.sums.map((sum, index) =>
        Math.min(HIGHEST_SUM, (sum + begun) * Math.exp(Math.min(most, factors[index]!))),
      );
      return { looks: before.looks + 1, sums };
    },
    value: ({ looks, sums }) => sums.reduce((sum, one) => sum + one, 0) / alternatives.length + beginning.later(looks),
  };
}

/** The share of the new version among bad requests, if its rate is `ratio` times the stable one. */
const share = (ratio: number, { fresh, stable }: Look): number =>
  (ratio * fresh.total) / (ratio * fresh.total + stable.total);

function relativeFactor(look: Look, ratio: number, limit: number): number | undefined {
  const { fresh, stable } = look;
  if (fresh.total === 0 || stable.total === 0) return undefined;
  const [there, here] = [share(ratio, look), share(limit, look)];
  return fresh.bad * Math.log(there / here) + stable.bad * Math.log((1 - there) / (1 - here));
}

/** Refutes: the rate of the new version is at most `times` that of the stable version, whatever that is at the time. `times`: above 0. */
export function worseThanStable(times: number, cap: number): Test {
  const ratios = WORSE.filter((ratio) => ratio > times);
  const alternatives = ratios.length > 0 ? ratios : [times * 3];
  return test(ANY_LOOK, alternatives, cap, (look, ratio) => relativeFactor(look, ratio, times));
}

/** Refutes: the rate of the new version is at least `times` that of the stable version. `times`: above 0. */
export function betterThanStable(times: number, cap: number): Test {
  const alternatives = BETTER.map((ratio) => ratio * Math.min(1, times)).filter((ratio) => ratio < times);
  return test(FIRST_LOOK, alternatives, cap, (look, ratio) => relativeFactor(look, ratio, times));
}

/** For the rate `there` against `limit`, in the new version alone. */
const absoluteFactor = ({ fresh }: Look, there: number, limit: number): number | undefined =>
  fresh.total === 0
    ? undefined
    : fresh.bad * Math.log(there / limit) + (fresh.total - fresh.bad) * Math.log((1 - there) / (1 - limit));

/** Refutes: the rate of the new version is at most `limit`, from 0 to 1, both excluded. */
export function worseThanLimit(limit: number, cap: number): Test {
  const rates = ABSOLUTELY_WORSE.map((times) => Math.min(times * limit, Math.max(HIGHEST_RATE, (1 + limit) / 2)));
  return test(ANY_LOOK, rates, cap, (look, rate) => absoluteFactor(look, rate, limit));
}

/** Refutes: the rate of the new version is at least `limit`, from 0 to 1, both excluded. */
export function betterThanLimit(limit: number, cap: number): Test {
  const rates = BETTER.filter((times) => times < 1).map((times) => times * limit);
  return test(FIRST_LOOK, rates, cap, (look, rate) => absoluteFactor(look, rate, limit));
}
