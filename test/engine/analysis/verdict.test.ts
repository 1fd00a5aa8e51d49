// What a verdict means for the release.
import assert from 'node:assert/strict';
import type { CheckStatus } from '../../../src/api/analysis.ts';
import { isFailed } from '../../../src/engine/analysis/verdict.ts';
import { rows } from '../build.ts';

describe('a check stops the release', () => {
  const check = (verdict: CheckStatus['verdict'], acceptedBy?: string[]): CheckStatus => ({
    name: 'errors',
    verdict,
    since: '',
    ...(acceptedBy && { acceptedBy }),
  });
  rows(
    [
      ['if it is Worse', check('Worse'), true],
      ['not if somebody accepted that', check('Worse', ['anna']), false],
      ['not if somebody accepted that without a webhook', check('Worse', []), false],
      ['not if it is Fine', check('Fine'), false],
      ['not if it is Open', check('Open'), false],
      ['not if it is Unknown', check('Unknown'), false],
    ],
    (of: CheckStatus, expected: boolean) => assert.equal(isFailed(of), expected),
  );
});
