// While a Deployment is in a release, its ReplicaSets are its own controller's.
import assert from 'node:assert/strict';
import type { AdmissionDecision } from '../../../src/engine/admit/decision.ts';
import { admitReplicaSet, type ReplicaSetFacts, type WrittenReplicaSet } from '../../../src/engine/admit/replicaset.ts';
import { as, facts, held, operator, refusal } from './support.ts';

const deployment = held();
const set = (more: Partial<WrittenReplicaSet['metadata']> = {}, replicas = 5): WrittenReplicaSet => ({
  metadata: {
    name: 'web-1',
    labels: { app: 'web' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'd-1', controller: true }],
    ...more,
  },
  spec: { replicas },
});
const orphan = (labels: Record<string, string>): WrittenReplicaSet => set({ ownerReferences: [], labels });
const admit = (
  old: WrittenReplicaSet | undefined,
  next: WrittenReplicaSet | undefined,
  more: Partial<ReplicaSetFacts> = {},
): AdmissionDecision => {
  const operation = old === undefined ? 'CREATE' : next === undefined ? 'DELETE' : 'UPDATE';
  return admitReplicaSet({
    ...facts({ operation }),
    name: 'web-1',
    old,
    next,
    releases: [{ deployment, rollout: 'demo' }],
    ...more,
  });
};
const OWN = /Deployment web has a release in progress, and only the Deployment controller may change/;
const ADOPTED = /it would adopt this ReplicaSet/;
const GC = as('system:serviceaccount:kube-system:generic-garbage-collector');

describe('a ReplicaSet while a Deployment of its namespace is in a release', () => {
  for (const [when, decision, expected] of [
    ['a change of its size', admit(set(), set({}, 9)), OWN],
    ['a deletion', admit(set(), undefined), OWN],
    ['the removal of its owner', admit(set(), orphan({ app: 'web' })), OWN],
    ['one that the Deployment would adopt', admit(undefined, orphan({ app: 'web' })), ADOPTED],
    ['the same, by a change of labels', admit(orphan({ app: 'x' }), orphan({ app: 'web' })), ADOPTED],
    [
      'one that the garbage collector sets free',
      admit(
        set({ ownerReferences: [{ ...set().metadata.ownerReferences![0]!, uid: 'other' }] }),
        orphan({ app: 'web' }),
        { by: GC },
      ),
      ADOPTED,
    ],
  ] as const) {
    it(`is denied: ${when}`, () => {
      assert.equal(decision.verdict, 'Denied');
      assert.match(refusal(decision), expected);
    });
  }

  it('says how to roll back, also after the last step, when the Deployment has no record', () => {
    const given = { ...deployment, metadata: { ...deployment.metadata, annotations: {} } };
    const decision = admit(set(), set({}, 9), { releases: [{ deployment: given, rollout: 'shop' }] });
    assert.match(refusal(decision), /kubectl tranche abort shop/);
    const invalid = admit(set(), set({}, 9), { releases: [{ deployment, rollout: undefined }] });
    assert.match(refusal(invalid), /kubectl tranche abort ROLLOUT/);
  });

  it('is not judged while no release is known yet', () => {
    const starting = { releases: [], notReady: 'Deployments: not listed yet' };
    const { verdict, ...rest } = admit(set(), set({}, 9), starting);
    assert.deepEqual([verdict, rest], ['NotReady', { notReady: 'Deployments: not listed yet' }]);
    for (const passes of [
      admit(set(), set({ annotations: { note: 'x' } }), starting),
      admit(set(), set({}, 9), { ...starting, by: as('system:serviceaccount:kube-system:deployment-controller') }),
      admit(set({ ownerReferences: [] }), set({ ownerReferences: [] }, 9), starting),
      admit(set(), undefined, starting),
    ])
      assert.equal(passes.verdict, 'Passed');
  });

  for (const [when, decision] of [
    ['a note of somebody else', admit(set(), set({ annotations: { note: 'x' } }))],
    ['what no selector selects', admit(undefined, orphan({ app: 'x' }))],
    [
      'what its own controller does',
      admit(set(), set({}, 9), { by: as('system:serviceaccount:kube-system:deployment-controller') }),
    ],
    ['what the operator does', admit(set(), set({}, 9), { by: operator })],
    ['anything without a release', admit(set(), set({}, 9), { releases: [] })],
    ['its status', admit(set(), set({}, 9), { subResource: 'status' })],
    ['the deletion of a stranger', admit(orphan({ app: 'web' }), undefined)],
  ] as const) {
    it(`passes: ${when}`, () => assert.deepEqual(decision, { verdict: 'Passed' }));
  }

  it('is asked about when it is scaled: a Scale does not say whose it is', () => {
    const scale = (answers: ReplicaSetFacts['answers']) =>
      admit(undefined, undefined, { operation: 'UPDATE', subResource: 'scale', answers });
    assert.deepEqual(scale({}).needs, { ownerOf: 'web-1' });
    assert.match(refusal(scale({ owner: { found: 'web' } })), OWN);
    assert.deepEqual(scale({ owner: { found: 'other' } }), { verdict: 'Passed' });
    assert.deepEqual(scale({ owner: { found: undefined } }), { verdict: 'Passed' });
    assert.deepEqual(scale({ owner: 'NobodyToAsk' }), { verdict: 'Passed' });
    assert.match(scale({ owner: 'NoAnswer' }).notReady ?? '', /which Deployment owns the ReplicaSet/);
  });
});
