// The laws of the evidence: what a test may say, however often one looks.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  betterThanLimit,
  betterThanStable,
  capFor,
  worseThanLimit,
  worseThanStable,
  type Look,
  type Test,
} from '../../../src/engine/analysis/evidence.ts';
import { rows } from '../build.ts';
import { randomOf } from '../../property/plan.ts';
import { poisson } from './random.ts';

const UNCAPPED = Infinity;
const lookOf = (fresh: number, bad: number, stable = 0, stableBad = 0): Look => ({
  fresh: { total: fresh, bad },
  stable: { total: stable, bad: stableBad },
});
const evidenceOf = (test: Test, ...looks: Look[]): number =>
  test.value(looks.reduce((before, look) => test.add(before, look), test.start));

/** Probabilities of 0 to `n` bad requests of `n`. */
function binomial(n: number, rate: number): number[] {
  const chances = [1];
  for (let i = 0; i < n; i++) {
    const next = Array.from({ length: chances.length + 1 }, () => 0);
    chances.forEach((chance, bad) => {
      next[bad]! += chance * (1 - rate);
      next[bad + 1]! += chance * rate;
    });
    chances.splice(0, chances.length, ...next);
  }
  return chances;
}

/** The mean of the factor of one look, over all outcomes. */
function meanFactor(
  test: Test,
  [n, rate]: readonly [number, number],
  [m, stableRate]: readonly [number, number],
): number {
  const [bad, stableBad] = [binomial(n, rate), binomial(m, stableRate)];
  let mean = 0;
  bad.forEach((chance, c) =>
    stableBad.forEach((stableChance, s) => (mean += chance * stableChance * evidenceOf(test, lookOf(n, c, m, s)))),
  );
  return mean;
}

const size = fc.integer({ min: 1, max: 12 });
const rate = fc.double({ min: 0, max: 1, noNaN: true });
const times = fc.double({ min: 0.3, max: 5, noNaN: true });
const limit = fc.double({ min: 0.001, max: 0.9, noNaN: true });
const cap = fc.constantFrom(UNCAPPED, 2, 5, 20);
const ALMOST = 1 + 1e-9;

describe('the mean of a factor is at most 1', () => {
  const check = <T>(arbitrary: fc.Arbitrary<T>, mean: (given: T) => number): void =>
    fc.assert(fc.property(arbitrary, (given) => assert.ok(mean(given) <= ALMOST, String(mean(given)))));

  it('if the new version is at most so many times as bad as the stable one', () =>
    check(fc.tuple(size, size, times, rate, rate, cap), ([n, m, limit, stable, part, most]) => {
      const stableRate = stable / Math.max(1, limit);
      return meanFactor(worseThanStable(limit, most), [n, limit * stableRate * part], [m, stableRate]);
    }));

  it('if the new version is at least so many times as bad as the stable one, for the tests that show it to be fine', () =>
    check(fc.tuple(size, size, times, rate, rate, cap), ([n, m, limit, stable, part, most]) => {
      const stableRate = stable / Math.max(1, limit);
      const least = limit * stableRate;
      return meanFactor(betterThanStable(limit, most), [n, least + (1 - least) * part], [m, stableRate]);
    }));

  it('if the rate is at most the limit', () =>
    check(fc.tuple(size, limit, rate, cap), ([n, most, part, capped]) =>
      meanFactor(worseThanLimit(most, capped), [n, most * part], [0, 0]),
    ));

  it('if the rate is at least the limit, for the tests that show it to be fine', () =>
    check(fc.tuple(size, limit, rate, cap), ([n, least, part, capped]) =>
      meanFactor(betterThanLimit(least, capped), [n, least + (1 - least) * part], [0, 0]),
    ));

  it('and above 1 if it is worse: the property can fail', () =>
    assert.ok(meanFactor(worseThanStable(1, UNCAPPED), [12, 0.5], [12, 0.1]) > 1.5));
});

/** An alternative can be as close to the limit as two numbers can be. */
const ROUNDING = 1e-9;

describe('evidence that a version is worse', () => {
  const look = fc
    .record({ n: fc.integer({ min: 1, max: 200 }), m: fc.integer({ min: 1, max: 200 }) })
    .chain(({ n, m }) =>
      fc.record({
        n: fc.constant(n),
        m: fc.constant(m),
        c: fc.integer({ min: 0, max: n - 1 }),
        s: fc.integer({ min: 0, max: m - 1 }),
      }),
    );

  it('never falls with one more bad request of the new version', () =>
    fc.assert(
      fc.property(look, times, ({ n, m, c, s }, limit) => {
        const test = worseThanStable(limit, UNCAPPED);
        assert.ok(evidenceOf(test, lookOf(n, c + 1, m, s)) >= evidenceOf(test, lookOf(n, c, m, s)) * (1 - ROUNDING));
      }),
    ));

  it('never rises with one more bad request of the stable version', () =>
    fc.assert(
      fc.property(look, times, ({ n, m, c, s }, limit) => {
        const test = worseThanStable(limit, UNCAPPED);
        assert.ok(evidenceOf(test, lookOf(n, c, m, s + 1)) <= evidenceOf(test, lookOf(n, c, m, s)) * (1 + ROUNDING));
      }),
    ));

  rows(
    [
      ['nothing without requests of the new version', lookOf(0, 0, 100, 5)],
      ['nothing without requests of the stable version', lookOf(100, 5, 0, 0)],
      ['nothing without bad requests', lookOf(100, 0, 100, 0)],
    ],
    (look) => assert.equal(evidenceOf(worseThanStable(1, UNCAPPED), look), 1),
  );

  it('needs three looks, whatever one look shows', () => {
    const test = worseThanStable(1, capFor(0.01));
    const terrible = lookOf(1_000_000, 999_999, 1_000_000, 0);
    assert.ok(evidenceOf(test, terrible, terrible) < 100 / 4);
    assert.ok(evidenceOf(test, terrible, terrible, terrible) >= 100);
  });

  it('is there within ten looks of the start of the errors, also after 120 looks without one', () => {
    const test = worseThanLimit(0.01, capFor(0.01));
    const good = Array.from({ length: 120 }, () => lookOf(300, 0));
    const bad = Array.from({ length: 10 }, () => lookOf(300, 30));
    assert.ok(evidenceOf(test, ...good) < 0.1);
    assert.ok(evidenceOf(test, ...good, ...bad) >= 100);
  });

  it('stays a number that JSON can carry', () => {
    const test = worseThanLimit(0.01, UNCAPPED);
    for (const look of [lookOf(1_000_000, 1_000_000), lookOf(1_000_000, 0)]) {
      const { sums } = Array.from({ length: 9 }, () => look).reduce((before, one) => test.add(before, one), test.start);
      assert.ok(sums.every((sum) => Number.isFinite(sum)));
    }
  });

  it('takes a limit close to all requests', () => {
    assert.ok(evidenceOf(worseThanLimit(0.9995, UNCAPPED), lookOf(10, 10)) > 1);
    assert.ok(Number.isFinite(evidenceOf(worseThanLimit(0.9995, UNCAPPED), lookOf(10, 9))));
  });

  it('still has an alternative above the largest tolerance', () =>
    assert.ok(evidenceOf(worseThanStable(50, UNCAPPED), lookOf(100, 90, 100, 0)) > 1));
});

describe('false alarms in 60 looks', function () {
  const RUNS = 1_000;
  interface Truth {
    readonly times?: number;
    readonly tolerance?: number;
    /** Factor of a common outage, in 5 % of the looks. */
    readonly outage?: number;
    /** Factor of an outage of one version only, in 2 % of the looks. */
    readonly burst?: number;
  }
  /** Share of releases with 100 requests a second and 0.1 % bad ones, 10 % of them to the new version, that are called worse. */
  function alarms({ times = 1, tolerance = 1, outage = 1, burst = 1 }: Truth): number {
    const random = randomOf(7);
    const test = worseThanStable(tolerance, capFor(0.01));
    let found = 0;
    for (let run = 0; run < RUNS; run++) {
      let evidence = test.start;
      for (let look = 0; look < 60; look++) {
        const common = 0.001 * (random() < 0.05 ? outage : 1);
        const rates = [common * times, common].map((rate) => Math.min(1, rate * (random() < 0.02 ? burst : 1)));
        const [c, s] = [poisson(300 * rates[0]!, random), poisson(2_700 * rates[1]!, random)];
        evidence = test.add(evidence, lookOf(300, Math.min(300, c), 2_700, Math.min(2_700, s)));
        if (test.value(evidence) >= 100) {
          found += 1;
          break;
        }
      }
    }
    return found / RUNS;
  }
  /** A share of at most 1 % shows at most this in 1,000 runs, but for one run in 10,000. */
  const ONE_PERCENT = 0.024;

  rows(
    [
      ['of equal versions: at most 1 %', {}],
      ['of equal versions in common outages: at most 1 %', { outage: 20 }],
      ['of versions at the tolerance: at most 1 %', { tolerance: 1.5, times: 1.5 }],
      ['of bursts in one version only, which break the assumption, with a tolerance', { burst: 20, tolerance: 1.25 }],
    ],
    (truth: Truth) => assert.ok(alarms(truth) <= ONE_PERCENT, String(alarms(truth))),
  );

  it('and a version five times as bad is found', () => assert.ok(alarms({ times: 5 }) > 0.98));
});
