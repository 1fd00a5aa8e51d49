// Validates the PromQL of the checks of a Rollout.
import { MAX_CHECKS } from '../api/schema/analysis.ts';
import type { Rollout } from '../api/types.ts';
import type { Violation } from '../engine/validate/violation.ts';
import { checkExpression, checkHistogram, checkSelector, PromqlError } from './promql.ts';

const SELECTOR = 'write a selector such as http_requests_total{code=~"5.."}';

/** Errors of the queries. The other fields of checks are validated by engine/validate/analysis.ts. */
export function checkQueries(rollout: Rollout): Violation[] {
  const { analysis = [] } = rollout.spec.strategy.canary ?? {};
  return analysis.slice(0, MAX_CHECKS).flatMap(({ ratio, value }, index) => {
    const at = `spec.strategy.canary.analysis[${index}]`;
    return [
      ...wrong(checkSelector, `${at}.ratio.bad`, ratio?.bad, SELECTOR),
      ...wrong(checkSelector, `${at}.ratio.total`, ratio?.total, SELECTOR),
      ...wrong(
        checkHistogram,
        `${at}.ratio.slowerThan.histogram`,
        ratio?.slowerThan?.histogram,
        'write a selector such as http_request_duration_seconds{route="/"}',
      ),
      ...wrong(
        checkExpression,
        `${at}.value.query`,
        value?.query,
        'write an expression with one value, such as max(queue_depth{queue="{{workload}}"})',
      ),
    ];
  });
}

function wrong(check: (text: string) => void, field: string, text: string | undefined, remedy: string): Violation[] {
  if (text === undefined) return [];
  try {
    check(text);
    return [];
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return [{ field, value: text, reason: error.message, remedy }];
  }
}
