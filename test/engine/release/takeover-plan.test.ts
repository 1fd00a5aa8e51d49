// What is the same in the takeover of each kind: Services, Rollouts and keys of OpenKruise.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Rollout, Workload } from '../../../src/api/types.ts';
import {
  askForEnding,
  clean,
  governorOf,
  onward,
  refuseEnding,
  refusePinned,
  refuseUnsupported,
  type TakeoverPlan,
} from '../../../src/engine/release/takeover-plan.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import { statefulSetKind } from '../../../src/engine/workload/statefulset/kind.ts';
import { rollout } from '../build.ts';

const workload = (annotations: Record<string, string> = {}): Workload => ({
  metadata: { name: 'web', namespace: 'shop', resourceVersion: '7', annotations },
  spec: { selector: {}, template: { metadata: { labels: { app: 'web' } } } },
});
const refusal = (plan: TakeoverPlan | undefined): string =>
  plan?.kind === 'Refuse' ? `${plan.reason}; ${plan.remedy}` : '';
const service = (selector: Record<string, string>) => ({
  metadata: { name: 'web', namespace: 'shop' },
  spec: { selector },
});

describe('the plan of a takeover', () => {
  it('refuses while a Service selects one version, by the label of the kind', () => {
    for (const [kind, label, other] of [
      [deploymentKind, 'pod-template-hash', 'controller-revision-hash'],
      [statefulSetKind, 'controller-revision-hash', 'pod-template-hash'],
    ] as const) {
      const plan = (selector: Record<string, string>) => refusePinned(kind, workload(), [service(selector)]);
      assert.match(
        refusal(plan({ app: 'web', [label]: 'x' })),
        new RegExp(`kubectl patch service web -n shop .*${label}`),
      );
      assert.equal(plan({ app: 'api', [label]: 'x' }), undefined, 'of another workload');
      assert.equal(plan({ app: 'web' }), undefined);
      assert.equal(plan({ app: 'web', [other]: 'x' }), undefined);
    }
  });

  it('writes the command with the kind, except for Deployments', () => {
    const command = (plan: TakeoverPlan): string =>
      /kubectl tranche takeover (\S+) -n shop/.exec(refusal(plan))?.[1] ?? '';
    assert.equal(command(askForEnding(deploymentKind, workload(), undefined)), 'web');
    assert.equal(command(askForEnding(statefulSetKind, workload(), undefined)), 'statefulset/web');
    assert.equal(command(refuseEnding(statefulSetKind, workload(), rollout())), 'statefulset/web');
  });

  it('continues only with a Rollout that is in effect', () => {
    const of: Rollout = rollout();
    assert.equal(governorOf(of), of);
    assert.equal(governorOf({ ...of, spec: { ...of.spec, disabled: true } }), undefined);
    assert.equal(governorOf({ ...of, metadata: { ...of.metadata, deletionTimestamp: 'now' } }), undefined);
    assert.equal(governorOf(undefined), undefined);
  });

  it('says at which step, if the status is about the new version', () => {
    const canaryStatus = { currentStepIndex: 2, canaryRevision: 'abc', podTemplateHash: 'abc' };
    const of = { ...rollout(), status: { phase: 'Progressing', canaryStatus } } as unknown as Rollout;
    assert.match(onward(of, 'abc'), /continues with step 2 of/);
    assert.match(onward(of, 'def'), /starts with step 1 of/);
    assert.match(onward(of, ''), /starts with step 1 of/);
  });

  it('refuses a Rollout that is not supported, with how to end the release without it', () => {
    const of = rollout();
    assert.equal(refuseUnsupported(deploymentKind, workload(), of), undefined);
    const blueGreen = { ...of, spec: { ...of.spec, strategy: { blueGreen: { steps: [] } } } } as unknown as Rollout;
    assert.match(
      refusal(refuseUnsupported(statefulSetKind, workload(), blueGreen)),
      /does not support Rollout .*takeover statefulset\/web -n shop --finish/,
    );
  });

  it('cleans only the keys of OpenKruise, and of exactly the object that was read', () => {
    const plan = clean(statefulSetKind, workload({ [keys.KRUISE_CONTROL_INFO]: '{}', mine: 'x' }));
    assert.deepEqual(plan.kind === 'PatchWorkload' && plan.ops, [
      { op: 'replace', path: '/metadata/resourceVersion', value: '7' },
      { op: 'remove', path: '/metadata/annotations/batchrelease.rollouts.kruise.io~1control-info' },
    ]);
  });
});
