// What the checks mean for a step.
import assert from 'node:assert/strict';
import type { StepAnalysis } from '../../../src/api/analysis.ts';
import { outcomeOf, type NamedJudgement } from '../../../src/engine/analysis/step.ts';
import type { Verdict } from '../../../src/engine/analysis/verdict.ts';
import { rows } from '../build.ts';

const STEP: StepAnalysis = { seconds: 600, minTotal: 500 };
const PATIENT: StepAnalysis = { ...STEP, lowTraffic: 'Wait' };
const LAX: StepAnalysis = { ...STEP, lowTraffic: 'Continue' };
const check = (verdict: Verdict, total?: number, name = 'errors', bad = 0): NamedJudgement => ({
  name,
  verdict,
  since: 0,
  ...(total !== undefined && { total, bad }),
});

describe('the outcome of a step', () => {
  rows(
    [
      ['Failed if a check is Worse', STEP, [check('Fine', 900), check('Worse', 1, 'slow')], 100, 'Failed slow'],
      [
        'Failed, also if another one is Unknown',
        STEP,
        [check('Unknown'), check('Worse', 1, 'slow')],
        100,
        'Failed slow',
      ],
      ['Blind if a check is Unknown, also after the time', STEP, [check('Unknown', 900)], 9_999, 'Blind errors'],
      [
        'Watching for its time',
        STEP,
        [check('Open', 12)],
        599,
        'Watching errors: 12 requests (500 required), none bad',
      ],
      ['Done after its time, with enough requests', STEP, [check('Open', 500)], 600, 'Done'],
      ['Done early if all checks are Fine', STEP, [check('Fine', 500), check('Fine')], 10, 'Done'],
      [
        'not early with too few requests',
        STEP,
        [check('Fine', 499)],
        10,
        'Watching errors: 499 requests (500 required), none bad',
      ],
      [
        'not early if one is Open',
        STEP,
        [check('Fine', 900), check('Open')],
        10,
        'Watching errors: 900 requests, none bad',
      ],
      [
        'waiting for approval with too few requests',
        STEP,
        [check('Open', 12)],
        600,
        'WaitsForApproval errors: 12 requests (500 required), none bad',
      ],
      [
        'waiting for more requests, if that is asked for',
        PATIENT,
        [check('Open', 12, 'errors', 3)],
        600,
        'Watching errors: 12 requests (500 required), 3 bad',
      ],
      ['Done with too few requests, if that is asked for', LAX, [check('Open', 12)], 600, 'Done'],
      [
        'decided by the check with the fewest requests',
        STEP,
        [check('Open', 900), check('Open', 1, 'slow')],
        600,
        'WaitsForApproval slow: 1 request (500 required), none bad',
      ],
      ['Done after its time without a check that counts', STEP, [check('Open')], 600, 'Done'],
      ['Watching without a check', { seconds: 600 }, [], 0, 'Watching '],
      [
        'in the singular',
        { seconds: 600, minTotal: 1 },
        [check('Open', 0)],
        600,
        'WaitsForApproval errors: 0 requests (1 required), none bad',
      ],
      [
        'without a minimum',
        { seconds: 600 },
        [check('Open', 1)],
        0,
        'Watching errors: 1 request (100 required), none bad',
      ],
    ],
    (step: StepAnalysis, checks: NamedJudgement[], second: number, expected: string) => {
      const outcome = outcomeOf(step, checks, { startedAt: 0 }, second * 1000);
      const detail = 'check' in outcome ? ` ${outcome.check.name}` : 'message' in outcome ? ` ${outcome.message}` : '';
      assert.equal(`${outcome.kind}${detail}`, expected);
    },
  );
});
