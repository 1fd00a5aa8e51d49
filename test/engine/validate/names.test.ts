import assert from 'node:assert/strict';
import { misnamedWorkload } from '../../../src/engine/validate/names.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rollout } from './support.ts';

const judge = (name: unknown): string => {
  const found = misnamedWorkload(rollout({}, { ref: { name } }));
  return found === undefined ? '' : sentence(found);
};

describe('the name of a workload', () => {
  for (const name of ['web', 'web-1.prod', '0', 'a'.repeat(253)]) {
    it(`may be ${name.slice(0, 20)}`, () => assert.equal(judge(name), ''));
  }

  for (const [name, expected] of [
    ['', /^spec.workloadRef.name: Invalid value: "": a lowercase RFC 1123 subdomain must/],
    ['Web', /a lowercase RFC 1123 subdomain must .*; write the name of a Deployment in the same namespace, such as "/],
    ['../secrets/x', /a lowercase RFC 1123 subdomain must/],
    ['web/status', /a lowercase RFC 1123 subdomain must/],
    ['a'.repeat(254), /must be no more than 253 characters/],
    [5, /Invalid value: 5: a lowercase RFC 1123 subdomain must/],
    [undefined, /Required value: write the name of a Deployment/],
  ] as const) {
    it(`may not be ${String(name).slice(0, 20)}`, () => assert.match(judge(name), expected));
  }
});
