// What becomes of an edit, and of the deletion, of a Rollout.
import assert from 'node:assert/strict';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { Deployment, Rollout } from '../../../src/api/types.ts';
import type { AdmissionDecision, Facts } from '../../../src/engine/admit/decision.ts';
import { admitRollout, versionOf, type RolloutFacts, type WrittenRollout } from '../../../src/engine/admit/rollout.ts';
import { policy } from '../policy/support.ts';
import {
  as,
  demo,
  disabled,
  facts,
  held,
  operator,
  outcomes,
  policiesOf,
  refusal,
  warningsOf,
  web,
} from './support.ts';

type Json = Readonly<Record<string, unknown>>;

const written = (rollout: Rollout | undefined): WrittenRollout | undefined =>
  rollout && { json: rollout as unknown as Json, rollout, shape: [] };

const factsOf = (
  old: Rollout | undefined,
  next: Rollout | undefined,
  more: Partial<RolloutFacts> = {},
): RolloutFacts => ({
  ...facts({ operation: old === undefined ? 'CREATE' : next === undefined ? 'DELETE' : 'UPDATE' }),
  phase: 'validate',
  version: 'v1beta1',
  old: written(old),
  next: written(next),
  deployments: { old: web('v1'), next: web('v1') },
  other: undefined,
  routers: [],
  routings: [],
  routing: undefined,
  gatewayApi: undefined,
  unreached: undefined,
  texts: () => (next === undefined ? [] : [next as unknown as Json]),
  sha256: (text) => text,
  ...more,
});
const admit = (
  old: Rollout | undefined,
  next: Rollout | undefined,
  more: Partial<RolloutFacts> = {},
): AdmissionDecision => admitRollout(factsOf(old, next, more));
const under = (spec: ReleasePolicySpec): Pick<Facts, 'policies'> => ({
  policies: policiesOf(policy('production', spec)),
});
const inFlight = (deployment: Deployment = held()): Pick<RolloutFacts, 'deployments'> => ({
  deployments: { old: deployment, next: deployment },
});
const withPause = (rollout: Rollout, duration: number): Rollout => ({
  ...rollout,
  spec: {
    ...rollout.spec,
    strategy: { canary: { steps: [{ replicas: 1, pause: { duration } }, { replicas: '50%' }, { replicas: '100%' }] } },
  },
});
const NOWHERE = { field: 'metadata.namespace', value: 'shop', reason: 'is not reached', remedy: 'ask' };

describe('a Rollout that is written', () => {
  it('passes with advice at the size there is', () => {
    const decision = admit(undefined, demo(undefined, [1, 20]));
    assert.equal(decision.verdict, 'Passed');
    assert.match(warningsOf(decision), /20 is more than spec.replicas \(10\)/);
    assert.deepEqual(admit(undefined, demo(undefined, [1, 20]), { warns: false }).warnings, []);
  });

  it('is refused for all that is wrong with it; of a field that our rules name, the schema says no more', () => {
    const next = demo(undefined, ['50%', '40%']);
    const at = 'spec.strategy.canary.steps[1].replicas';
    const shape = [at, 'spec.x'].map((field) => ({ field, value: 1, reason: 'is odd', remedy: 'mend it' }));
    const decision = admit(undefined, next, { next: { json: next as unknown as Json, rollout: next, shape } });
    assert.deepEqual(
      decision.violations?.map(({ field }) => field),
      [at, 'spec.x'],
    );
    assert.doesNotMatch(refusal(decision), /steps\[1\].*is odd/);
  });

  it('that cannot be read is refused for its shape, unless it is stored like that', () => {
    const shape = [{ field: 'spec.workloadRef', value: undefined, reason: 'must be there', remedy: 'add it' }];
    const next = { json: { spec: {} }, rollout: undefined, shape };
    assert.deepEqual(admit(undefined, demo(), { next }).violations, shape);
    assert.deepEqual(admit(demo(), demo(), { old: next, next }), { verdict: 'Passed' });
  });

  it('names fields as the version does that its user wrote', () => {
    const next = {
      ...demo(),
      spec: { ...demo().spec, workloadRef: { apiVersion: 'apps/v1', kind: 'X', name: 'web' } },
    };
    assert.match(refusal(admit(undefined, next, { version: 'v1alpha1' })), /^spec.objectRef.workloadRef/);
    assert.equal(versionOf({ apiVersion: 'rollouts.kruise.io/v1alpha1' }), 'v1alpha1');
    assert.equal(versionOf({}), 'v1beta1');
  });

  it('passes when it is on its way out, and when the operator writes it', () => {
    const bad = demo(undefined, ['50%', '40%']);
    const leaving = { ...bad, metadata: { ...bad.metadata, deletionTimestamp: '2026-01-05T10:00:00Z' } };
    assert.deepEqual(admit(demo(), leaving), { verdict: 'Passed' });
    assert.deepEqual(admit(demo(), bad, { by: operator }), { verdict: 'Passed' });
    assert.deepEqual(admit(demo(), bad, { subResource: 'scale' }), { verdict: 'Passed' });
  });

  it('waits for the caches: another Rollout for the same workload could not be seen', () => {
    assert.deepEqual(admit(undefined, demo(), { notReady: 'no list yet' }), {
      verdict: 'NotReady',
      notReady: 'no list yet',
    });
    const other = { ...demo(), metadata: { name: 'first', namespace: 'shop' } };
    assert.match(refusal(admit(undefined, demo(), { other })), /already released by Rollout first/);
  });

  it('where no change can be held is refused when it is new, and warned of when it is changed', () => {
    assert.match(refusal(admit(undefined, demo(), { unreached: NOWHERE })), /is not reached/);
    assert.match(warningsOf(admit(demo(), demo(undefined, [2, '100%']), { unreached: NOWHERE })), /is not reached/);
    assert.equal(warningsOf(admit(demo(), demo(), { unreached: NOWHERE })), '');
  });

  it('with what we do not do can be turned off as it is, and not be changed beside that', () => {
    const odd = demo(undefined, ['50%', '40%']);
    assert.equal(admit(odd, disabled(odd)).verdict, 'Passed');
    assert.equal(admit(odd, disabled(demo(undefined, ['60%', '40%']))).verdict, 'Refused');
  });

  it('has its unknown fields named, also those that kubectl alone has noted', () => {
    const texts = () => [demo() as unknown as Json, { apiVersion: 'x/v1', spec: { pausd: true } }];
    assert.deepEqual(admit(undefined, demo(), { texts }).warnings, ['tranche: unknown field "spec.pausd"']);
  });
});

describe('a Rollout under a policy', () => {
  it('must have the steps that the policy wants; of an edit only those that it changes', () => {
    const strict = under({ steps: { minSteps: 4 } });
    const denied = admit(undefined, demo(), strict);
    assert.equal(denied.verdict, 'Denied');
    assert.match(refusal(denied), /Invalid value: 3: must have at least 4 steps/);
    assert.deepEqual(outcomes(denied), ['denied steps']);
    const paused = { ...demo(), spec: { ...demo().spec, strategy: { ...demo().spec.strategy, paused: true } } };
    assert.equal(admit(demo(), paused, strict).verdict, 'Passed');
  });

  it('is warned of once: the mutating webhook refuses too, and reports nothing of what passes', () => {
    const warn = under({ steps: { minSteps: 4 }, enforcement: 'Warn' });
    assert.deepEqual(outcomes(admit(undefined, demo(), warn)), ['warned steps']);
    const first = admit(undefined, demo(), { ...warn, phase: 'mutate' });
    assert.deepEqual(outcomes(first), []);
    assert.match(warningsOf(first), /policy production warns/);
  });

  it('is protected in flight: neither disabled nor deleted', () => {
    const protect = { ...under({ protectInFlight: true }), ...inFlight() };
    assert.match(
      refusal(admit(demo({}), disabled(demo({})), protect)),
      /spec.disabled: Forbidden: cannot be set during a release/,
    );
    assert.match(refusal(admit(demo({}), undefined, protect)), /cannot be deleted during its release/);
    const cleaner = as('system:serviceaccount:kube-system:namespace-controller');
    assert.equal(admit(demo({}), undefined, { ...protect, by: cleaner }).violations, undefined);
  });

  it('protected, and at rest as far as caches know, is decided by the Deployment as it is now', () => {
    const protect = under({ protectInFlight: true });
    const edit = (answers: Facts['answers']) => admit(demo(), disabled(), { ...protect, answers });
    assert.deepEqual(edit({}).needs, { workload: { kind: deploymentKind, name: 'web' } });
    assert.equal(edit({ workload: { found: web('v1') } }).verdict, 'Passed');
    assert.equal(edit({ workload: { found: held() } }).verdict, 'Denied');
    assert.equal(edit({ workload: 'NobodyToAsk' }).verdict, 'Passed');
    assert.match(edit({ workload: 'NoAnswer' }).notReady ?? '', /whether a release is in progress/);
    assert.equal(admit(demo(), disabled(), { ...protect, ...inFlight() }).needs, undefined, 'the cache shows it');
    assert.equal(admit(undefined, demo(), protect).needs, undefined, 'a new one');
    assert.equal(admit(demo(), disabled(), under({})).needs, undefined, 'no policy protects');
  });

  it('marks of ours that its user writes are put back', () => {
    const forged = { ...demo(), metadata: { ...demo().metadata, annotations: { [keys.APPROVED]: '{}', own: 'x' } } };
    const { patch } = admit(demo(), forged, { ...under({}), phase: 'mutate' });
    assert.deepEqual(patch, [{ op: 'add', path: '/metadata/annotations', value: { own: 'x' } }]);
    assert.equal(admit(demo(), demo(), { ...under({}), phase: 'mutate' }).patch, undefined);
  });
});

describe('a shorter pause in the step that waits', () => {
  const edit = (more: Partial<RolloutFacts>) => admit(demo({}), withPause(demo({}), 0), { ...inFlight(), ...more });

  it('is an approval: it needs the same right', () => {
    assert.deepEqual(edit({}).needs, { access: { verb: 'approve', rollout: demo({}) } });
    assert.equal(edit({ answers: { access: [] } }).verdict, 'Passed');
    const access = [{ field: 'approval by', value: 'alice', reason: 'may not', remedy: 'ask' }];
    assert.deepEqual(edit({ answers: { access } }).violations, access);
  });

  it('is asked about once, by the validating webhook', () => {
    assert.equal(edit({ phase: 'mutate' }).needs, undefined);
  });
});

describe('a Rollout that is deleted', () => {
  it('is told what that does to its release', () => {
    assert.match(
      warningsOf(admit(demo({}), undefined, inFlight())),
      /9 Pods are updated to the new version in a rolling update/,
    );
    assert.deepEqual(admit(demo({}), undefined, { ...inFlight(), warns: false }), { verdict: 'Passed', reports: [] });
  });

  it('passes when it cannot be read, or is on its way out', () => {
    const leaving = { ...demo({}), metadata: { ...demo().metadata, deletionTimestamp: '2026-01-05T10:00:00Z' } };
    assert.deepEqual(admit(leaving, undefined), { verdict: 'Passed' });
    const old = { json: {}, rollout: undefined, shape: [] };
    assert.deepEqual(admit(demo(), undefined, { old }), { verdict: 'Passed' });
  });
});
