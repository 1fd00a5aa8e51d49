// What admission does with an edit, the same for every kind of workload: the hold and the user's fields differ, the ruling does not.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { ReleasePolicySpec } from '../../../src/api/policy.ts';
import type { Deployment, Rollout, StatefulSet } from '../../../src/api/types.ts';
import { admitWorkload, type WorkloadFacts } from '../../../src/engine/admit/workload.ts';
import type { AdmissionDecision, Requester } from '../../../src/engine/admit/decision.ts';
import { admitScale } from '../../../src/engine/admit/scale.ts';
import { validateRollout } from '../../../src/engine/validate/rollout.ts';
import { daemonSetKind } from '../../../src/engine/workload/daemonset/kind.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import type { WorkloadKind } from '../../../src/engine/workload/kind.ts';
import { KINDS } from '../../../src/engine/workload/registry.ts';
import { kindName } from '../../../src/api/resources.ts';
import { advancedDaemonSetKind, advancedDaemonSetShape } from '../../../src/engine/workload/advanced-daemonset/kind.ts';
import {
  advancedStatefulSetKind,
  advancedStatefulSetShape,
} from '../../../src/engine/workload/advanced-statefulset/kind.ts';
import { cloneSetKind, cloneSetShape } from '../../../src/engine/workload/cloneset/kind.ts';
import { EVERY as ALL, specPatch, type Partitioned } from '../../../src/engine/workload/partition/shape.ts';
import { statefulSetKind } from '../../../src/engine/workload/statefulset/kind.ts';
import { policy } from '../policy/support.ts';
import {
  alice,
  as,
  demo,
  digestOf,
  disabled,
  FREEZE,
  policiesOf,
  refusal,
  sha256,
  stored,
  warningsOf,
  web,
  withVersion,
  workloadFacts,
} from './support.ts';

interface Bench {
  readonly kind: WorkloadKind;
  /** Ten Pods, at rest, with settings of its user. */
  readonly at: (version: string) => Deployment;
  /** The spec with the user's settings changed during a release, and with the strategy that cannot be released. */
  readonly edited?: object;
  readonly refused: object;
  /** The spec that resumes it, and that pauses it. */
  readonly resumed: object;
  readonly paused?: object;
  /** The held workload while a step moves. */
  readonly moves: (held: Deployment) => Deployment;
}

const setAt = (version: string): Deployment => {
  const { metadata, spec } = web(version);
  const { strategy: _, progressDeadlineSeconds: __, ...rest } = spec;
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 3 } };
  return { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: { ...rest, updateStrategy } } as Deployment;
};
const daemonAt = (version: string): Deployment => {
  const { metadata, spec } = web(version);
  const { strategy: _, progressDeadlineSeconds: __, replicas: ___, ...rest } = spec;
  const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '20%', maxSurge: 0 } };
  const status = { observedGeneration: metadata.generation ?? 0, desiredNumberScheduled: 10 };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata,
    spec: { ...rest, updateStrategy },
    status,
  } as Deployment;
};
const partition = (value: number): object => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: value } },
});

const BENCHES: Bench[] = [
  {
    kind: deploymentKind,
    at: (version) => web(version),
    edited: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 7, maxUnavailable: 2 } } },
    refused: { strategy: { type: 'Recreate' } },
    resumed: { paused: false },
    paused: { paused: true },
    moves: (held) => ({ ...held, spec: { ...held.spec, paused: false } }),
  },
  {
    kind: statefulSetKind,
    at: setAt,
    edited: partition(5),
    refused: { updateStrategy: { type: 'OnDelete' } },
    resumed: partition(0),
    paused: partition(ALL),
    moves(held) {
      const record = { ...statefulSetKind.readHold(held as StatefulSet), partition: 5 };
      const annotations = { ...held.metadata.annotations, [keys.HELD]: JSON.stringify(record) };
      return { ...held, metadata: { ...held.metadata, annotations }, spec: { ...held.spec, ...partition(5) } };
    },
  },
  {
    kind: daemonSetKind,
    at: daemonAt,
    // The hold itself has this type, so it is not refused then.
    refused: { updateStrategy: { type: 'OnDelete', rollingUpdate: { maxUnavailable: '20%', maxSurge: 0 } } },
    resumed: { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '20%', maxSurge: 0 } } },
    moves: (held) => held,
  },
];

/** OpenKruise's kinds: as above, with the fields at another place. */
for (const { kind, shape, user, all, first } of [
  { kind: cloneSetKind, shape: cloneSetShape, user: '30%', all: '100%', first: '90%' },
  { kind: advancedStatefulSetKind, shape: advancedStatefulSetShape, user: 3, all: ALL, first: 9 },
  { kind: advancedDaemonSetKind, shape: advancedDaemonSetShape, user: '30%', all: ALL, first: 9 },
]) {
  const { apiVersion, kind: noun } = kind.resource;
  const fields = (values: object): object => specPatch(shape, { partition: user, paused: false, ...values });
  BENCHES.push({
    kind,
    at(version) {
      const { metadata, spec } = web(version);
      const { strategy: _, progressDeadlineSeconds: __, ...rest } = spec;
      const status = { observedGeneration: 1, desiredNumberScheduled: 10 };
      return { apiVersion, kind: noun, metadata, spec: { ...rest, ...fields({}) }, status } as Deployment;
    },
    edited: fields({ partition: 5 }),
    refused: { updateStrategy: { type: 'OnDelete' } },
    resumed: fields({ partition: 0 }),
    paused: fields({ partition: first, paused: true }),
    moves(held) {
      const record = { ...kind.readHold(held as Partitioned), partition: first };
      const annotations = { ...held.metadata.annotations, [keys.HELD]: JSON.stringify(record) };
      assert.equal(kind.borrowed(held as Partitioned)['partition'], all);
      return {
        ...held,
        metadata: { ...held.metadata, annotations },
        spec: { ...held.spec, ...fields({ partition: first }) },
      } as Deployment;
    },
  });
}

it('every kind has a bench', () =>
  assert.deepEqual(
    BENCHES.map(({ kind }) => kind),
    KINDS,
  ));

for (const { kind, at, edited, refused, resumed, paused, moves } of BENCHES) {
  const noun = kind.resource.kind;
  const rollout = (status?: object): Rollout => {
    const found = demo(status);
    return {
      ...found,
      spec: {
        ...found.spec,
        workloadRef: { ...found.spec.workloadRef, apiVersion: kind.resource.apiVersion, kind: noun },
      },
    };
  };
  const running = rollout({ stableDigest: digestOf(at('v1')) });
  const admit = (
    old: Deployment | undefined,
    next: Deployment,
    by: Rollout | undefined = rollout(),
    more: Partial<WorkloadFacts> = {},
  ): AdmissionDecision => {
    const facts = workloadFacts(old, next, by, more);
    return admitWorkload({ ...facts, edit: { ...facts.edit, kind } });
  };
  const withSpec = (workload: Deployment, spec: object): Deployment => ({
    ...workload,
    spec: { ...workload.spec, ...spec },
  });
  const held = (version = 'v2', old = at('v1')): Deployment => {
    const next = withVersion(old, version);
    return stored(next, admit(old, next));
  };
  const holdOf = (workload: Deployment) => kind.readHold(workload);
  const labels = { [keys.WORKLOAD_TYPE]: kind.workloadType };

  describe(`admission of a ${kindName(kind.resource)}`, () => {
    it('enrols what a Rollout names', () => {
      const next = at('v1');
      assert.equal(stored(next, admit(undefined, next)).metadata.labels?.[keys.WORKLOAD_TYPE], kind.workloadType);
    });

    it('holds a new template, with the user’s fields in the record, and says the steps', () => {
      const now = held();
      assert.deepEqual({ ...holdOf(now)?.user }, kind.borrowed(at('v1')));
      assert.equal(holdOf(now)?.stable, digestOf(at('v1')));
      assert.equal(now.metadata.labels?.[keys.WORKLOAD_TYPE], kind.workloadType);
      assert.ok(now.metadata.labels?.[keys.ROLLOUT_ID]);
      assert.equal(now.metadata.annotations?.[keys.CHANGED_BY], 'alice');
      assert.match(
        warningsOf(admit(at('v1'), withVersion(at('v1'), 'v2'))),
        /releases this in 3 steps: 1 → 5 → 10 of 10/,
      );
    });

    it('answers the same when it is asked again in the same request', () => {
      const [old, next] = [at('v1'), withVersion(at('v1'), 'v2')];
      const once = stored(next, admit(old, next));
      assert.deepEqual(stored(once, admit(old, once)), once);
    });

    it('rolls back in one answer, byte for byte', () => {
      const decision = admit(held(), withVersion(held(), 'v1'), running);
      assert.equal(decision.verdict, 'RolledBack');
      const back = stored(withVersion(held(), 'v1'), decision);
      assert.deepEqual([back.spec, holdOf(back)], [at('v1').spec, undefined]);
      assert.match(warningsOf(decision), /cancels the release and rolls back immediately/);
    });

    it('starts a newer template again at step 1', () => {
      const decision = admit(held(), withVersion(held(), 'v3'), running);
      assert.equal(decision.verdict, 'Superseded');
      assert.deepEqual({ ...holdOf(stored(withVersion(held(), 'v3'), decision))?.user }, kind.borrowed(at('v1')));
    });

    it('records the user’s settings during a release, and keeps its own', () => {
      // Of a DaemonSet only the type is recorded, and it has one other value.
      if (edited === undefined) return assert.equal(kind, daemonSetKind);
      const next = withSpec(held(), edited);
      const decision = admit(held(), next, running);
      const now = stored(next, decision);
      assert.deepEqual(kind.borrowed(now), kind.borrowed(held()));
      assert.notDeepEqual(holdOf(now)?.user, holdOf(held())?.user);
      assert.match(warningsOf(decision), / recorded: Rollout demo applies the new value when the release ends/);
    });

    it('pauses a release by the user’s own field, and says how to continue', () => {
      // A DaemonSet is paused by its Rollout only.
      if (paused === undefined) return assert.equal(kind, daemonSetKind);
      const moving = moves(held());
      const next = withSpec(moving, paused);
      const decision = admit(moving, next, running);
      assert.ok(kind.isPaused(holdOf(stored(next, decision))!));
      const command = kind.words.resume(at('v1'));
      assert.ok(warningsOf(decision).includes(`pauses its release; continue with: ${command}`), warningsOf(decision));
    });

    it('keeps the hold when the user resumes, and says how to go on', () => {
      const next = withSpec(held(), resumed);
      const decision = admit(held(), next, running);
      assert.deepEqual(kind.borrowed(stored(next, decision)), kind.borrowed(held()));
      assert.match(warningsOf(decision), new RegExp(`${noun} web stays held: Rollout demo releases it in steps`));
    });

    it('gives it back to a user who resumes it without a Rollout', () => {
      const next = withSpec(held(), resumed);
      const decision = admit(held(), next, disabled(running));
      assert.equal(decision.verdict, 'Freed');
      assert.equal(holdOf(stored(next, decision)), undefined);
      assert.match(warningsOf(decision), new RegExp(`no longer governs ${noun} web`));
    });

    it('says the command where it stays held without a Rollout', () => {
      const decision = admit(held(), withVersion(held(), 'v3'), disabled(running));
      assert.ok(warningsOf(decision).includes(`to update it without steps: ${kind.words.resume(at('v1'))}`));
      assert.match(warningsOf(decision), new RegExp(`${noun} web is still held`));
    });

    it('refuses another strategy during a release, and warns of it at rest', () => {
      const during = admit(held(), withSpec(held(), refused), running);
      if (edited === undefined) assert.equal(during.verdict, 'Passed');
      else assert.match(refusal(during), new RegExp(`cannot change while Rollout demo releases this ${noun} in steps`));
      const rest = { ...at('v1'), metadata: { ...at('v1').metadata, labels } };
      assert.match(warningsOf(admit(rest, withSpec(rest, refused))), new RegExp(`cannot release ${noun} web in steps`));
      const spec = withSpec(at('v1'), refused);
      const { violations } = validateRollout({ rollout: rollout(), version: 'v1beta1', deployment: spec });
      assert.match(violations[0]?.reason ?? '', new RegExp(`^the ${noun} has (update )?strategy`));
      assert.match(
        warningsOf(admit(spec, withVersion(spec, 'v2'))),
        new RegExp(`cannot release this in steps: ${noun} web has`),
      );
    });

    it('is judged by policies that select its labels', () => {
      const policy = {
        metadata: { name: 'production' },
        spec: { match: { workloadSelector: { matchLabels: { tier: 'a' } } }, requireRollout: true },
      };
      const tier = (workload: Deployment): Deployment => ({
        ...workload,
        metadata: { ...workload.metadata, labels: { tier: 'a' } },
      });
      const change = (of: (workload: Deployment) => Deployment): AdmissionDecision => {
        const facts = workloadFacts(of(at('v1')), of(at('v2')), undefined, { policies: policiesOf(policy as never) });
        return admitWorkload({ ...facts, rollout: undefined, edit: { ...facts.edit, kind } });
      };
      assert.match(refusal(change(tier)), new RegExp(`workloadRef names ${noun} web first`));
      assert.equal(change((workload) => workload).violations, undefined);
    });

    describe('under a policy', () => {
      const under = (spec: ReleasePolicySpec, by: Requester = alice): Partial<WorkloadFacts> => ({
        policies: policiesOf(policy('production', spec)),
        by,
      });
      const change = (more: Partial<WorkloadFacts>, by?: Rollout): AdmissionDecision =>
        admit(at('v1'), withVersion(at('v1'), 'v2'), by, more);

      it('starts no release in a closed window, nor one too many, and says why', () => {
        assert.match(refusal(change(under({ windows: FREEZE }))), /closed until .* \(board meeting\)/);
        assert.match(refusal(change(under({ maxConcurrentReleases: 2 }))), /allows 2 releases at a time/);
        assert.match(refusal(change(under({ steps: { minSteps: 9 } }))), /at least 9 steps/);
      });

      it('goes back in a closed window, and keeps what is no release', () => {
        const back = admit(
          held(),
          withVersion(held(), 'v1'),
          running,
          under({ windows: FREEZE, requireRollout: true }),
        );
        assert.equal(back.verdict, 'RolledBack');
        const beside = admit(held(), withSpec(held(), edited ?? refused), running, under({ windows: FREEZE }));
        assert.equal(beside.violations, undefined);
      });

      it('requires a Rollout that is in effect', () => {
        assert.match(
          refusal(change(under({ requireRollout: true }), disabled(rollout()))),
          /without steps \(Rollout demo does not release it\)/,
        );
      });

      it('is overridden by those who may, with a reason, which is noted for this release', () => {
        const spec = { windows: FREEZE, breakGlass: { groups: ['sre'] } };
        const next = withVersion(at('v1'), 'v2');
        const why = { ...next, metadata: { ...next.metadata, annotations: { [keys.BREAK_GLASS]: 'outage 7' } } };
        const decision = admit(at('v1'), why, rollout(), under(spec, as('eve', 'sre')));
        assert.equal(decision.verdict, 'Held');
        const annotations: Readonly<Record<string, string>> =
          stored<Deployment>(why, decision).metadata.annotations ?? {};
        assert.equal(annotations[keys.BREAK_GLASS], undefined, 'good for one change');
        const mark = JSON.parse(annotations[keys.GLASS_BROKEN] ?? '{}') as Record<string, unknown>;
        assert.deepEqual([mark['user'], mark['reason'], mark['policies']], ['eve', 'outage 7', ['production']]);
        assert.equal(admit(at('v1'), why, rollout(), under(spec, as('ed', 'dev'))).verdict, 'Denied');
      });

      it('is not scaled to 0 in a protected release', () => {
        const scale = (by: Rollout, workload: Deployment): AdmissionDecision =>
          admitScale({
            ...workloadFacts(workload, workload, by, under({ protectInFlight: true })),
            replicas: { before: 10, after: 0 },
            deployment: workload,
            rollout: by,
            sha256,
          });
        assert.match(refusal(scale(running, held())), /must be at least 1 during a release/);
        assert.equal(scale(rollout(), at('v1')).violations, undefined, 'at rest');
      });
    });

    it('leaves a copy of a held one as its user wrote it', () => {
      const copy = { ...held(), metadata: { ...held().metadata, name: 'copy' } };
      const now = stored(copy, admit(undefined, copy));
      assert.deepEqual([now.spec, holdOf(now)], [at('v2').spec, undefined]);
    });
  });
}
