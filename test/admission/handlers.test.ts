import assert from 'node:assert/strict';
import * as keys from '../../src/api/keys.ts';
import type { Rollout } from '../../src/api/types.ts';
import { mutateWorkload } from '../../src/admission/webhooks/workload.ts';
import type { Approval, Decided } from '../../src/admission/deps.ts';
import { BadRequest } from '../../src/admission/json.ts';
import { readReview, type Answer } from '../../src/admission/review.ts';
import { mutateRollout, validateRolloutRequest } from '../../src/admission/webhooks/rollout.ts';
import { applyOps } from '../support/json-patch.ts';
import { aDeployment, aReview, aRollout, atOnce, aV1alpha1Rollout, OPERATOR, someDeps, type Json } from './support.ts';

const own = { userInfo: { username: OPERATOR }, options: { fieldManager: 'tranche' } };
const partition = { [keys.ROLLING_STYLE]: 'partition' };

describe('the webhook for Deployments', () => {
  const rollouts = [aRollout(1, '50%', '100%')];
  const edit = (review: Json, deps = someDeps({ rollouts })): Answer =>
    atOnce(mutateWorkload(readReview(review), deps));

  it('holds a new template and says what happens', () => {
    const answer = edit(aReview(aDeployment('v2'), aDeployment()));
    assert.equal(answer.verdict, 'Held');
    assert.match(answer.warnings?.join() ?? '', /^tranche: Rollout demo releases this in 3 steps/);
    assert.equal(applyOps(aDeployment('v2'), answer.patch ?? []).spec.paused, true);
  });

  it('takes the status of a DaemonSet from the stored object, because users can write any into the request', () => {
    const daemon = (tag: string, desiredNumberScheduled: number): object => {
      const { metadata, spec } = aDeployment(tag);
      const { replicas: _, strategy: __, ...rest } = spec as Json & { replicas?: number; strategy?: object };
      const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } };
      const status = { observedGeneration: 1, desiredNumberScheduled };
      return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: { ...rest, updateStrategy }, status };
    };
    const ofDaemon = aRollout(1, '50%', '100%');
    const named = {
      ...ofDaemon,
      spec: { ...ofDaemon.spec, workloadRef: { ...ofDaemon.spec.workloadRef, kind: 'DaemonSet' } },
    };
    const deps = someDeps({ rollouts: [named] });
    for (const forged of [0, 8, 1000]) {
      const answer = edit(aReview(daemon('v2', forged), daemon('v1', 8)), deps);
      assert.equal(answer.verdict, 'Held');
      assert.match(answer.warnings?.join() ?? '', /releases this in 3 steps: 1 → 4 → 8 of 8 Pods/);
    }
    assert.equal(edit(aReview(daemon('v2', 8), daemon('v1', 0)), deps).verdict, 'Bypassed', 'it has no Pods');
  });

  it('says nothing when warnings are turned off', () => {
    const deps = someDeps({ rollouts }, { warnings: false });
    assert.deepEqual(edit(aReview(aDeployment('v2'), aDeployment()), deps).warnings, []);
  });

  it('gives a dry run the same answer, and tells nobody of it', () => {
    const decided: Decided[] = [];
    const deps = someDeps({ rollouts }, { onDecision: (one) => decided.push(one) });
    const real = edit(aReview(aDeployment('v2'), aDeployment()), deps);
    assert.deepEqual(edit(aReview(aDeployment('v2'), aDeployment(), { dryRun: true }), deps), real);
    const web = { namespace: 'default', name: 'web', rollout: 'demo', user: 'alice' };
    assert.deepEqual(decided, [{ request: 'review-1', verdict: 'Held', ...web }]);
  });

  for (const [what, more] of Object.entries({
    'a subresource': { subResource: 'status' },
    'a deletion': { operation: 'DELETE', object: null },
    'a connection': { operation: 'CONNECT' },
  })) {
    it(`has nothing to do with ${what}`, () => {
      assert.equal(edit(aReview(aDeployment('v2'), aDeployment(), more)).verdict, 'Passed');
    });
  }

  it('finds the Rollout by the name in the review when the object has none (generateName)', () => {
    const { name: _, ...metadata } = aDeployment().metadata;
    assert.equal(edit(aReview({ ...aDeployment(), metadata }, undefined, { name: 'web' })).verdict, 'Enrolled');
    assert.equal(edit(aReview({ ...aDeployment(), metadata }, undefined, { name: '' })).verdict, 'Passed');
  });

  it('refuses a strategy that would replace every Pod, in our four parts', () => {
    const held = applyOps(aDeployment('v2'), edit(aReview(aDeployment('v2'), aDeployment())).patch ?? []);
    const recreate = { ...held, spec: { ...held.spec, strategy: { type: 'Recreate' } } };
    assert.deepEqual(edit(aReview(recreate, held)).status, {
      code: 422,
      reason: 'Invalid',
      message:
        'spec.strategy.type: Forbidden: cannot change while Rollout demo releases this Deployment in steps; ' +
        'keep the previous value, or finish or roll back the release first',
    });
  });

  describe('while the caches are not filled', () => {
    const deps = someDeps({}, { notReady: () => 'the list of Rollouts is not read yet' });

    it('refuses edits of enrolled Deployments, with the reason', () => {
      assert.deepEqual(edit(aReview(aDeployment('v2'), aDeployment()), deps).status, {
        code: 503,
        reason: 'ServiceUnavailable',
        message: 'tranche is not ready: the list of Rollouts is not read yet; try again in a few seconds',
      });
    });

    it('refuses an edit that takes the enrolment off', () => {
      assert.equal(edit(aReview(aDeployment('v2', { labels: {} }), aDeployment()), deps).verdict, 'NotReady');
    });

    it("is in nobody else's way, nor in the operator's", () => {
      const [old, next] = [aDeployment('v1', { labels: {} }), aDeployment('v2', { labels: {} })];
      assert.equal(edit(aReview(next, old), deps).verdict, 'Passed');
      assert.equal(edit(aReview(aDeployment('v2'), aDeployment(), own), deps).verdict, 'Passed');
    });
  });

  for (const [what, object] of Object.entries<unknown>({
    'no object': null,
    'a list': [],
    'labels that are no texts': { ...aDeployment(), metadata: { name: 'web', labels: { a: 1 } } },
    'no template': { ...aDeployment(), spec: {} },
    'a size that is no number': { ...aDeployment(), spec: { ...aDeployment().spec, replicas: 'ten' } },
  })) {
    it(`calls ${what} a bad request`, () => {
      const request = { ...(aReview(aDeployment())['request'] as Json), object };
      assert.throws(() => edit({ ...aReview(aDeployment()), request }), BadRequest);
    });
  }

  it('takes nulls for absent, as Go does', () => {
    const empty = { ...aDeployment('v2'), metadata: { name: 'web', labels: null, annotations: null }, status: null };
    assert.equal(edit(aReview(empty, aDeployment())).verdict, 'Held');
  });
});

describe('the webhook for Rollouts', () => {
  const judge = (review: Json, deps = someDeps({ rollouts: [] })): Answer => {
    const request = readReview(review);
    const answer = validateRolloutRequest(request, deps);
    assert.ok(!(answer instanceof Promise));
    assert.deepEqual(
      mutateRollout(request, deps),
      answer,
      'the same before and after the API server looks at the schema',
    );
    return answer;
  };
  const message = (review: Json, deps?: Parameters<typeof judge>[1]): string | undefined =>
    judge(review, deps).status?.message;

  it('accepts what is right, and advises at the size there is', () => {
    const deps = someDeps({ deployments: [aDeployment()] });
    assert.deepEqual(judge(aReview(aRollout(1, '100%')), deps), { verdict: 'Passed', warnings: [] });
    assert.match(judge(aReview(aRollout(1, 20)), deps).warnings?.join() ?? '', /20 is more than spec.replicas \(10\)/);
    assert.deepEqual(judge(aReview(aRollout(1, 20)), { ...deps, warnings: false }).warnings, []);
  });

  it('refuses one thing in a sentence', () => {
    assert.equal(
      message(aReview(aRollout('50%', '40%'))),
      'spec.strategy.canary.steps[1].replicas: Invalid value: "40%": must not be less than step 1 ("50%"); write 50% or more, or remove the step',
    );
  });

  it('refuses several at once, in a list', () => {
    const bad = aRollout('50%', '40%', 0);
    assert.equal(
      message(aReview({ ...bad, metadata: { ...bad.metadata, annotations: { [keys.ON_DELETE]: 'x' } } })),
      [
        '3 errors:',
        'metadata.annotations[tranche.dev/on-delete]: Unsupported value: "x": write Rollback, or remove it for Finish',
        'spec.strategy.canary.steps[2].replicas: Invalid value: 0: must be a number of Pods or a percentage; write 1 or more, or "1%" to "100%"',
        'spec.strategy.canary.steps[1].replicas: Invalid value: "40%": must not be less than step 1 ("50%"); write 50% or more, or remove the step',
      ].join('\n- '),
    );
  });

  it('says what has the wrong type or is missing, in our words too', () => {
    const broken = {
      ...aRollout(1),
      spec: { workloadRef: { kind: 'Deployment', name: 5 }, strategy: { canary: { steps: [{ replicas: true }] } } },
    };
    assert.equal(
      message(aReview(broken)),
      [
        '3 errors:',
        'spec.workloadRef.apiVersion: Required value: add it',
        'spec.workloadRef.name: Invalid value: 5: must be of type string; write a string',
        'spec.strategy.canary.steps[0].replicas: Invalid value: true: must be an integer or a string; write a number of Pods such as 1, or a percentage such as "50%"',
      ].join('\n- '),
    );
    const choice = {
      ...aRollout(1),
      spec: { ...aRollout(1).spec, strategy: { canary: { steps: [{ replicas: 1 }], onFailure: 'Stop' } } },
    };
    assert.equal(
      message(aReview(choice)),
      'spec.strategy.canary.onFailure: Unsupported value: "Stop": write Hold or Rollback',
    );
  });

  it('names fields as v1alpha1 does when that was written, converted by the API server or not', () => {
    const text =
      'spec.objectRef.workloadRef: Unsupported value: {"apiVersion":"apps/v1","kind":"X"}: this kind cannot be released; write a Deployment, StatefulSet or DaemonSet of apps/v1, or a CloneSet, StatefulSet or DaemonSet of apps.kruise.io';
    const written = aV1alpha1Rollout(partition, 1) as { spec: { objectRef: { workloadRef: Json } } };
    written.spec.objectRef.workloadRef['kind'] = 'X';
    assert.equal(message(aReview(written)), text);
    const converted = {
      ...aRollout(1),
      spec: { ...aRollout(1).spec, workloadRef: { apiVersion: 'apps/v1', kind: 'X', name: 'web' } },
    };
    assert.equal(
      message(
        aReview(converted, undefined, {
          requestKind: { group: 'rollouts.kruise.io', version: 'v1alpha1', kind: 'Rollout' },
        }),
      ),
      text,
    );
  });

  it('refuses v1alpha1 without the partition style', () => {
    assert.match(
      message(aReview(aV1alpha1Rollout({ note: 'x' }, 1))) ?? '',
      /rolling-style\]: Required value: the canary style/,
    );
    assert.equal(judge(aReview(aV1alpha1Rollout(partition, 1, '100%'))).verdict, 'Passed');
  });

  it('says what deleting it in the middle of a release does, and never refuses that', () => {
    const running = { ...aRollout(1, '100%'), status: { phase: 'Progressing', canaryStatus: { canaryReplicas: 1 } } };
    const deletion = aReview(running, running, { operation: 'DELETE', object: null });
    const deps = someDeps({ deployments: [aDeployment()] }, { notReady: () => 'nothing read yet' });
    const { status, warnings } = judge(deletion, deps);
    assert.equal(status, undefined);
    assert.match(warnings?.join() ?? '', /9 Pods are updated to the new version in a rolling update/);
    assert.deepEqual(judge(deletion, { ...deps, warnings: false }), { verdict: 'Passed' });
    const odd = aReview({ ...running, spec: {} }, { ...running, spec: {} }, { operation: 'DELETE', object: null });
    assert.deepEqual(judge(odd, deps), { verdict: 'Passed' });
  });

  it('refuses a second Rollout for one workload', () => {
    const first: Rollout = { ...aRollout(1), metadata: { name: 'first', namespace: 'default' } };
    assert.match(
      message(aReview(aRollout(1)), someDeps({ rollouts: [first] })) ?? '',
      /already released by Rollout first/,
    );
  });

  it('lets what is stored keep its flaws: finalizers and labels stay editable', () => {
    const stored = {
      ...aRollout('50%', '40%'),
      spec: { ...aRollout('50%', '40%').spec, workloadRef: { kind: 'Deployment' } },
    };
    assert.equal(judge(aReview({ ...stored, metadata: { name: 'demo', finalizers: [] } }, stored)).verdict, 'Passed');
    const leaving = {
      ...aRollout('50%', '40%'),
      metadata: { name: 'demo', deletionTimestamp: '2026-11-23T12:00:00Z' },
    };
    assert.equal(judge(aReview(leaving, aRollout(1))).verdict, 'Passed');
  });

  it('lets one that asks for what we do not do be disabled as it is, and nothing else of it be changed', () => {
    const rollout = aRollout(1);
    const { canary } = rollout.spec.strategy;
    const strategy = { canary: { ...canary, trafficRoutings: [{ service: 'web' }] } };
    const stored = { ...rollout, spec: { ...rollout.spec, strategy } };
    const disabled = { ...stored, spec: { disabled: true, ...stored.spec } };
    assert.equal(judge(aReview(disabled, stored)).verdict, 'Passed');
    assert.match(
      message(aReview({ ...disabled, spec: { ...disabled.spec, disabled: false } }, disabled)) ?? '',
      /traffic/,
    );
    const steps = [{ replicas: 2 }];
    const changed = { ...disabled, spec: { ...disabled.spec, strategy: { canary: { ...strategy.canary, steps } } } };
    assert.match(message(aReview(changed, stored)) ?? '', /traffic/);
  });

  it('passes what the operator writes', () => {
    assert.equal(judge(aReview(aRollout('50%', '40%'), aRollout(1), own)).verdict, 'Passed');
  });

  it('refuses while the caches are not filled: it could not see another Rollout for the same workload', () => {
    const deps = someDeps({}, { notReady: () => 'no Rollouts read yet' });
    assert.equal(judge(aReview(aRollout(1)), deps).verdict, 'NotReady');
  });

  it('warns of unknown fields, also of those an API server has taken out by now', () => {
    const applied = JSON.stringify({ ...aRollout(1), spec: { ...aRollout(1).spec, pausd: true } });
    const one = {
      ...aRollout(1, '100%'),
      metadata: { name: 'demo', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': applied } },
    };
    assert.deepEqual(judge(aReview(one)).warnings, ['tranche: unknown field "spec.pausd"']);
    const typo = { ...aRollout(1, '100%'), spec: { ...aRollout(1, '100%').spec, disable: true } };
    assert.deepEqual(judge(aReview(typo)).warnings, [
      'tranche: unknown field "spec.disable": did you mean "disabled"?',
    ]);
    const hostile = {
      ...aRollout(1, '100%'),
      metadata: { name: 'demo', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '['.repeat(1e5) } },
    };
    assert.deepEqual(judge(aReview(hostile)).warnings, []);
  });
});

describe('the webhook for the status of Rollouts', () => {
  const canaryStatus = {
    podTemplateHash: 'abc',
    canaryReplicas: 1,
    canaryReadyReplicas: 1,
    currentStepIndex: 1,
    nextStepIndex: 2,
    currentStepState: 'StepPaused',
    finalisingStep: '',
    approvals: [{ step: 1, user: 'a', time: '2026-11-23T12:00:00Z' }],
  };
  const waiting = {
    ...aRollout(1, '100%'),
    status: { currentStepIndex: 1, currentStepState: 'StepPaused', phase: 'Progressing', canaryStatus },
  };
  const { approvals: _, ...known } = canaryStatus;
  const approving = {
    ...waiting,
    status: { ...waiting.status, canaryStatus: { ...known, currentStepState: 'StepReady' } },
  };
  const status = { subResource: 'status' };

  it('puts back what a typed client dropped when it approved, and accepts the approval', async () => {
    const request = readReview(aReview(approving, waiting, status));
    const { patch } = await mutateRollout(request, someDeps());
    const mended = applyOps(approving, patch ?? []);
    assert.deepEqual(mended.status.canaryStatus, { ...canaryStatus, currentStepState: 'StepReady' });
    const again = readReview(aReview(mended, waiting, status));
    assert.deepEqual(await mutateRollout(again, someDeps()), { verdict: 'Passed' });
    assert.equal((await validateRolloutRequest(again, someDeps())).verdict, 'Approved');
  });

  it('asks whoever decides about approvals, and only about approvals', async () => {
    const asked: Approval[] = [];
    const deps = someDeps(
      {},
      {
        authorize: async (approval) => {
          asked.push(approval);
          return [{ field: 'user', value: approval.user, reason: 'may not approve', remedy: 'ask somebody' }];
        },
      },
    );
    const mended = {
      ...waiting,
      status: { ...waiting.status, canaryStatus: { ...canaryStatus, currentStepState: 'StepReady' } },
    };
    const answer = await validateRolloutRequest(readReview(aReview(mended, waiting, status)), deps);
    assert.equal(answer.status?.message, 'user: Invalid value: "alice": may not approve; ask somebody');
    await validateRolloutRequest(readReview(aReview(waiting, waiting, status)), deps);
    assert.deepEqual(
      asked.map(({ user, groups, rollout }) => [user, groups, rollout.metadata.name]),
      [['alice', ['system:authenticated'], 'demo']],
    );
  });

  it('refuses everything else to everybody but the operator', async () => {
    const forged = { ...waiting, status: { ...waiting.status, phase: 'Healthy' } };
    const deps = someDeps();
    assert.match(
      (await validateRolloutRequest(readReview(aReview(forged, waiting, status)), deps)).status?.message ?? '',
      /^status\.phase: Forbidden: only the operator writes this field/,
    );
    assert.equal(
      (await validateRolloutRequest(readReview(aReview(forged, waiting, { ...status, ...own })), deps)).verdict,
      'Passed',
    );
    assert.equal(
      (await mutateRollout(readReview(aReview(forged, waiting, { ...status, ...own })), deps)).verdict,
      'Passed',
    );
  });

  it('takes an approval written in v1alpha1 for the same', async () => {
    const alpha = (state: string): Json => ({
      ...aV1alpha1Rollout(partition, 1, '100%'),
      status: { canaryStatus: { ...known, currentStepState: state } },
    });
    const answer = await validateRolloutRequest(
      readReview(aReview(alpha('StepReady'), alpha('StepPaused'), status)),
      someDeps(),
    );
    assert.equal(answer.verdict, 'Approved');
  });
});
