// The rule about a field of the template that takes effect on all nodes at once.
import assert from 'node:assert/strict';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import { startsAtOnce } from '../../../src/engine/policy/at-once.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { policy } from './support.ts';

const found = (spec: ReleasePolicySpec, superseding: boolean, atOnce?: string): string[] =>
  startsAtOnce({ policies: [policy('p', spec)], superseding, atOnce }).map((one) => `${one.rule}: ${sentence(one)}`);
const FIELD = 'spec.template.spec.nodeSelector';

describe('a field that takes effect at once', () => {
  it('is refused where steps are required, and in a release that is protected', () => {
    const said = (rule: string, remedy: string): string[] => [
      `${rule}: ${FIELD}: Forbidden: takes effect on all nodes at once, so Pods of the new version would start without steps (policy p); ${remedy}`,
    ];
    const [alone, later] = ['change it alone, in a release of its own', 'change it when the release has ended'];
    assert.deepEqual(found({ requireRollout: true }, false, FIELD), said('requireRollout', alone));
    assert.deepEqual(found({ requireRollout: true }, true, FIELD), said('requireRollout', later));
    assert.deepEqual(found({ protectInFlight: true }, true, FIELD), said('protectInFlight', later));
  });

  it('is not refused elsewhere', () => {
    assert.deepEqual(found({ protectInFlight: true }, false, FIELD), []);
    assert.deepEqual(found({ maxConcurrentReleases: 1 }, true, FIELD), []);
    assert.deepEqual(found({ requireRollout: true, protectInFlight: true }, true), []);
  });
});
