// Edits of a Deployment while a Service of its release gets requests: the workload stays held until the operator has taken them away.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Deployment, Rollout } from '../../../src/api/types.ts';
import type { AdmissionDecision } from '../../../src/engine/admit/decision.ts';
import { admitWorkload } from '../../../src/engine/admit/workload.ts';
import { readHeld } from '../../../src/engine/workload/deployment/hold.ts';
import {
  annotated,
  digestOf,
  disabled,
  held,
  NOW,
  policiesOf,
  releasingFrom,
  stored,
  warningsOf,
  web,
  withSpec,
  withVersion,
  workloadFacts,
} from './support.ts';

const rollout = releasingFrom('v1');
const plain = held('v2', web('v1'), rollout);
const trafficOn = ({ metadata }: Deployment): string | undefined => metadata.annotations?.[keys.TRAFFIC];

interface Outcome extends AdmissionDecision {
  readonly result: Deployment;
}

function edit(old: Deployment, next: Deployment, by: Rollout | undefined = rollout): Outcome {
  const policies = { policies: policiesOf() };
  const decision = admitWorkload(workloadFacts(old, next, by, policies));
  const result = stored(next, decision);
  const again = admitWorkload(workloadFacts(old, result, by, policies));
  assert.deepEqual(again.patch ?? [], [], 'asked again (reinvocation) it changes nothing');
  return { ...decision, result };
}

for (const mode of ['Apart', 'Shared'] as const)
  describe(`an edit of a Deployment with requests in mode ${mode}`, () => {
    const routed = annotated(plain, { [keys.TRAFFIC]: mode });

    it('back to the stable version stays held, and says what happens first', () => {
      const decision = edit(routed, withVersion(routed, 'v1'));
      const { verdict, result } = decision;
      assert.equal(verdict, 'RolledBack');
      assert.equal(result.spec.paused, true);
      assert.equal(readHeld(result)?.stable, digestOf(result));
      assert.equal(trafficOn(result), mode);
      assert.match(warningsOf(decision), /sends all requests to the stable version first, and then rolls back/);
    });

    it('back to a version within rollbackWindow stays held', () => {
      const completed = (version: string, more: object = {}) => ({
        workload: 'Deployment/web',
        templateDigest: digestOf(web(version)),
        revision: version,
        completedTime: new Date(NOW - 9_000_000).toISOString(),
        ...more,
      });
      const replacedTime = new Date(NOW - 300_000).toISOString();
      const window: Rollout = {
        ...rollout,
        spec: {
          ...rollout.spec,
          strategy: { canary: { ...rollout.spec.strategy.canary, rollbackWindow: { revisions: 1 } } },
        },
        status: { ...rollout.status!, completedVersions: [completed('v1'), completed('v0', { replacedTime })] },
      };
      const free = edit(plain, withVersion(plain, 'v0'), window);
      assert.equal(free.verdict, 'Restored');
      assert.equal(readHeld(free.result), undefined, 'without requests it is given back at once');
      const { verdict, result } = edit(routed, withVersion(routed, 'v0'), window);
      assert.equal(verdict, 'Restored');
      assert.equal(result.spec.paused, true);
      assert.equal(readHeld(result)?.rollout, 'demo');
    });

    it('un-paused without a Rollout that governs it stays held, and the pause is recorded as gone', () => {
      const decision = edit(routed, withSpec(routed, { paused: false }), disabled(rollout));
      const { verdict, result } = decision;
      assert.equal(verdict, 'Kept');
      assert.equal(result.spec.paused, true);
      assert.notEqual(readHeld(result)?.user.paused, true);
      assert.equal(trafficOn(result), mode);
      assert.match(
        warningsOf(decision),
        /no longer governs Deployment web, which continues .* when requests no longer/,
      );
    });

    it('keeps the annotation, whatever a user writes to it', () => {
      const { [keys.TRAFFIC]: _, ...others } = routed.metadata.annotations ?? {};
      const dropped = { ...routed, metadata: { ...routed.metadata, annotations: others } };
      for (const next of [dropped, withSpec(dropped, { paused: false }), annotated(routed, { [keys.TRAFFIC]: 'x' })])
        assert.equal(trafficOn(edit(routed, next).result), mode);
    });

    it('is superseded by a newer version as usual', () => {
      const { verdict, result } = edit(routed, withVersion(routed, 'v3'));
      assert.equal(verdict, 'Superseded');
      assert.equal(trafficOn(result), mode);
    });
  });

describe('the annotation of requests', () => {
  it('on a Deployment that is not held is not kept when a release starts', () => {
    for (const old of [web('v1'), annotated(web('v1'), { [keys.TRAFFIC]: 'Apart' })])
      assert.equal(trafficOn(held('v2', annotated(old, { [keys.TRAFFIC]: 'Apart' }), rollout)), undefined);
  });

  it('is not taken from a user while a Deployment is held', () => {
    assert.equal(trafficOn(edit(plain, annotated(plain, { [keys.TRAFFIC]: 'Apart' })).result), undefined);
  });

  it('is gone from a new Deployment, such as a copy of a held one', () => {
    const copy = annotated(plain, { [keys.TRAFFIC]: 'Apart' });
    assert.equal(trafficOn(stored(copy, admitWorkload(workloadFacts(undefined, copy, rollout)))), undefined);
  });

  it('is removed by the patch that gives the Deployment back', () => {
    const patch = JSON.parse(plain.metadata.annotations?.[keys.GIVE_BACK] ?? '') as {
      metadata: { annotations: Record<string, unknown> };
    };
    assert.equal(patch.metadata.annotations[keys.TRAFFIC], null);
  });
});
