// The chart's webhook configurations, rendered by the real helm: which edits reach us, and which never do.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { authorizerOf, compile, toCel } from '@tranche/sandbox/cel';
import * as keys from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { run } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';
import { aDeployment, OPERATOR } from './support.ts';

const ENROLLED = 'enrolled.deployments.tranche.dev';
const WAY_OUT = 'way-out.deployments.tranche.dev';
const OWN = 'own.workloads.tranche.dev';
const REST = 'deployments.tranche.dev';
const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly rules: readonly { readonly operations: readonly string[]; readonly resources: readonly string[] }[];
  readonly objectSelector?: object;
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
}

describe('the webhook configurations of the chart', () => {
  let webhooks: readonly Webhook[];
  const webhook = (name: string): Webhook => {
    const found = webhooks.find((one) => one.name === name);
    assert.ok(found, name);
    return found;
  };

  before(async () => {
    const shown = ['--show-only', 'templates/webhooks.yaml'];
    const { code, stdout, stderr } = await run(await findTool('helm'), [
      'template',
      'tranche',
      chart,
      '-n',
      'tranche-system',
      ...shown,
    ]);
    assert.equal(code, 0, stderr);
    webhooks = parseAllDocuments(stdout).flatMap(
      (document) => (document.toJS() as { webhooks: Webhook[] } | null)?.webhooks ?? [],
    );
  });

  it("fail closed for enrolled Deployments and Rollouts, and are in nobody else's way", () => {
    assert.deepEqual(
      webhooks.map(({ name, failurePolicy, rules }) => [
        name,
        failurePolicy,
        rules.flatMap(({ operations }) => operations),
      ]),
      [
        ['enrolled.deployments.tranche.dev', 'Fail', ['UPDATE']],
        ['deployments.tranche.dev', 'Ignore', ['UPDATE']],
        [WAY_OUT, 'Ignore', ['UPDATE']],
        ['created.deployments.tranche.dev', 'Ignore', ['CREATE']],
        ['enrolled.statefulsets.tranche.dev', 'Fail', ['UPDATE']],
        ['statefulsets.tranche.dev', 'Ignore', ['UPDATE']],
        ['way-out.statefulsets.tranche.dev', 'Ignore', ['UPDATE']],
        ['created.statefulsets.tranche.dev', 'Ignore', ['CREATE']],
        ['enrolled.daemonsets.tranche.dev', 'Fail', ['UPDATE']],
        ['daemonsets.tranche.dev', 'Ignore', ['UPDATE']],
        ['way-out.daemonsets.tranche.dev', 'Ignore', ['UPDATE']],
        ['created.daemonsets.tranche.dev', 'Ignore', ['CREATE']],
        [OWN, 'Ignore', ['UPDATE']],
        ['rollouts.tranche.dev', 'Fail', ['CREATE', 'UPDATE']],
        ['rollouts.tranche.dev', 'Fail', ['CREATE', 'UPDATE']],
        ['deletions.rollouts.tranche.dev', 'Ignore', ['DELETE']],
        ['releasepolicies.tranche.dev', 'Fail', ['CREATE', 'UPDATE']],
        ['scale-to-zero.tranche.dev', 'Ignore', ['UPDATE']],
        ['changed.replicasets.tranche.dev', 'Fail', ['UPDATE']],
        ['replicasets.tranche.dev', 'Ignore', ['CREATE', 'UPDATE', 'DELETE', 'UPDATE']],
      ],
    );
    for (const { name, sideEffects, timeoutSeconds, rules } of webhooks) {
      assert.equal(sideEffects, 'None', `${name}: a dry run is answered`);
      assert.ok(timeoutSeconds <= 5, name);
      if (['scale-to-zero.tranche.dev', 'replicasets.tranche.dev'].includes(name)) continue;
      assert.ok(
        !rules.some(({ resources }) => resources.some((resource) => /scale|deployments\/|\*/.test(resource))),
        name,
      );
    }
  });

  /** The webhooks for Deployments that the API server calls, by their match conditions, for an update (or a creation). */
  const called = (
    next: Deployment,
    old: Deployment | null,
    username = 'alice',
    approves = false,
    resource = 'deployments',
  ): string[] => {
    const variables = ['object', 'oldObject', 'request', 'authorizer'];
    const operation = old === null ? 'CREATE' : 'UPDATE';
    const variablesNow = {
      object: toCel(next),
      oldObject: toCel(old),
      request: toCel({ operation, userInfo: { username } }),
      authorizer: authorizerOf({ authorize: ({ verb }) => ({ allowed: approves && verb === 'approve', reason: '' }) }, {
        user: { username, groups: [] },
      } as never),
    };
    return webhooks
      .filter(
        ({ name, rules }) => name.endsWith('.tranche.dev') && rules.some((rule) => isFor(resource, rule, operation)),
      )
      .filter(({ matchConditions = [] }) =>
        matchConditions.every(
          ({ expression }) => compile(expression, { variables, returns: ['bool'] }).run(variablesNow) === true,
        ),
      )
      .map(({ name }) => name);
  };
  const isFor = (resource: string, rule: Webhook['rules'][number], operation: string): boolean =>
    rule.resources.includes(resource) &&
    rule.operations.includes(operation) &&
    !rule.resources.includes(`${resource}/scale`);
  /** One of the two that are for enrolled Deployments calls us, whenever the one for the rest would; un-pausing alone is the exception. */
  const calls = (next: Deployment, old: Deployment | null, username?: string): boolean => {
    const names = called(next, old, username);
    const enrolled = names.filter((name) => name === ENROLLED || name === WAY_OUT);
    assert.ok(enrolled.length <= 1, enrolled.join());
    if (old !== null && names.includes(REST)) assert.equal(enrolled.length, 1);
    return names.length > 0;
  };
  const edited = (spec: object, metadata: object = {}, from = aDeployment()): Deployment => ({
    ...from,
    metadata: { ...from.metadata, ...metadata },
    spec: { ...from.spec, ...spec },
  });
  const { labels } = aDeployment().metadata;
  const bare = edited({ strategy: undefined, progressDeadlineSeconds: undefined }, { labels: undefined });

  const table: readonly (readonly [string, boolean, Deployment, Deployment])[] = [
    ['nothing', false, aDeployment(), aDeployment()],
    ['nothing, of an object without any optional field', false, bare, bare],
    ['a scale', false, edited({ replicas: 3 }), aDeployment()],
    ['a foreign label', false, edited({}, { labels: { ...labels, team: 'a' } }), aDeployment()],
    ['a first, foreign annotation', false, edited({}, { annotations: { note: 'b' } }), aDeployment()],
    [
      'a foreign label, all labels of ours in another order',
      false,
      edited({}, { labels: { [keys.STABLE_REVISION]: 'x', [keys.ROLLOUT_ID]: 'y', ...labels, b: 'c' } }),
      edited({}, { labels: { ...labels, [keys.ROLLOUT_ID]: 'y', [keys.STABLE_REVISION]: 'x' } }),
    ],
    ['the status', false, { ...aDeployment(), status: { replicas: 3 } }, aDeployment()],
    ['the template', true, aDeployment('v2'), aDeployment()],
    ['a pause', true, edited({ paused: true }), aDeployment()],
    ['a resume', true, aDeployment(), edited({ paused: true })],
    ['the strategy', true, edited({ strategy: { type: 'Recreate' } }), aDeployment()],
    ['minReadySeconds', true, edited({ minReadySeconds: 3 }), aDeployment()],
    ['the deadline', true, edited({ progressDeadlineSeconds: 3 }), aDeployment()],
    ['a label of ours taken off', true, edited({}, { labels: { app: 'web' } }), aDeployment()],
    ['all labels taken off', true, edited({}, { labels: undefined }), aDeployment()],
    ['a label of ours changed', true, edited({}, { labels: { ...labels, [keys.WORKLOAD_TYPE]: 'x' } }), aDeployment()],
    ['a first annotation, of ours', true, edited({}, { annotations: { [keys.HELD]: '{}' } }), aDeployment()],
    [
      'an annotation of ours taken off',
      true,
      edited({}, { annotations: { note: 'b' } }),
      edited({}, { annotations: { [keys.HELD]: '{}' } }),
    ],
    [
      'an annotation of ours changed',
      true,
      edited({}, { annotations: { [keys.HELD]: '{}' } }),
      edited({}, { annotations: { [keys.HELD]: '1' } }),
    ],
  ];
  for (const [what, called, next, old] of table) {
    it(`${called ? 'call' : 'do not call'} us for ${what}`, () => assert.equal(calls(next, old), called));
  }

  it('need us for un-pausing what has no record, but for whoever may approve', () => {
    const paused = edited({ paused: true });
    const record = { metadata: { ...paused.metadata, annotations: { [keys.HELD]: '{}' } } };
    assert.ok(called(aDeployment(), paused).includes(ENROLLED));
    assert.ok(called(aDeployment(), paused, 'alice', true).includes(WAY_OUT));
    assert.ok(called({ ...aDeployment(), ...record }, { ...paused, ...record }).includes(WAY_OUT));
  });

  for (const [what, called, next, old] of [
    ['a Scale to 0, which leaves it out', true, {}, { replicas: 3 }],
    ['a Deployment to 0', true, { replicas: 0 }, { replicas: 3 }],
    ['a Scale to less', false, { replicas: 1 }, { replicas: 3 }],
    ['a Scale from 0', false, { replicas: 1 }, {}],
    ['one that stays at 0', false, { replicas: 0 }, { replicas: 0 }],
  ] as const) {
    it(`${called ? 'call' : 'do not call'} us for the scaling of ${what}`, () => {
      const conditions = webhook('scale-to-zero.tranche.dev').matchConditions ?? [];
      const values = { object: { spec: next }, oldObject: { spec: old }, request: { userInfo: { username: 'a' } } };
      const variables = ['object', 'oldObject', 'request', 'authorizer'];
      const holds = conditions.every(({ expression }) => {
        return compile(expression, { variables, returns: ['bool'] }).evaluate({ ...values, authorizer: null }) === true;
      });
      assert.equal(holds, called);
    });
  }

  const annotations = { [keys.HELD]: '{}', [keys.GIVE_BACK]: '{}' };
  const held = edited({ paused: true }, { annotations });
  const moving = edited(
    { minReadySeconds: 2147483646, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    { annotations },
  );
  const { template } = aDeployment('v2').spec;
  for (const [what, old, next] of [
    ['un-pausing', held, edited({ paused: false }, { annotations })],
    ['un-pausing, the field taken away', held, edited({}, { annotations })],
    ['giving back what is held', held, aDeployment()],
    ['giving back what moves', moving, aDeployment()],
    [
      'giving back what moves within the user’s own limits',
      edited({ minReadySeconds: 2147483646 }, { annotations }),
      aDeployment(),
    ],
    ['pausing what moves', moving, edited({ paused: true }, { annotations }, moving)],
    ['another template on what is paused, and stays so', held, edited({ paused: true, template }, { annotations })],
    ['another template on what moves, and is paused with it', moving, edited({ paused: true, template }, {}, moving)],
    ['a deadline', moving, edited({ progressDeadlineSeconds: 60 }, {}, moving)],
    ['settings at rest', edited({}), edited({ minReadySeconds: 7 })],
  ] as const) {
    it(`leave the way out open when nobody answers: ${what}`, () => {
      const names = called(next, old);
      assert.ok(names.includes(WAY_OUT) && !names.includes(ENROLLED), names.join());
    });
  }
  for (const [what, old, next] of [
    ['another template that starts Pods', held, edited({ template }, { annotations })],
    ['another template on what moves', moving, edited({ template }, {}, moving)],
    ['another template, given back at the same time', held, edited({ template })],
    ['the enrolment taken off', held, edited({ paused: true }, { labels: {}, annotations })],
    ['the enrolment taken off as it is given back', held, edited({}, { labels: {} })],
    ['the record taken off alone', held, edited({ paused: true })],
    ['the record changed', held, edited({ paused: true }, { annotations: { ...annotations, [keys.HELD]: '1' } })],
    ['the mark taken off what moves', moving, edited({ minReadySeconds: 0 }, {}, moving)],
    ['more surge', held, edited({ strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 9 } } }, {}, held)],
    ['another strategy', held, edited({ paused: true, strategy: { type: 'Recreate' } }, { annotations })],
  ] as const) {
    it(`let nothing through when nobody answers: ${what}`, () => {
      const names = called(next, old);
      assert.ok(names.includes(ENROLLED) && !names.includes(WAY_OUT), names.join());
    });
  }

  const controller = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u', controller: true };
  const owned = edited({}, { ownerReferences: [controller] });
  const foreign = edited({}, { ownerReferences: [{ ...controller, apiVersion: 'example.com/v1' }] });
  const [CHANGED, OTHER] = ['changed.replicasets.tranche.dev', 'replicasets.tranche.dev'];
  const DC = 'system:serviceaccount:kube-system:deployment-controller';
  const GC = 'system:serviceaccount:kube-system:generic-garbage-collector';
  const annotated = edited({}, { annotations: { retry: '1' } }, owned);
  for (const [what, webhooksCalled, next, old, username = 'alice'] of [
    ['its size', [CHANGED], edited({ replicas: 7 }, {}, owned), owned],
    ['its template', [CHANGED], edited({ template }, {}, owned), owned],
    ['its labels', [CHANGED], edited({}, { labels: {} }, owned), owned],
    ['its labels, all of them', [CHANGED], edited({}, { labels: undefined }, owned), owned],
    ['its owner', [CHANGED], edited({}, { ownerReferences: [{ ...controller, uid: 'v' }] }, owned), owned],
    ['its owner, taken off', [CHANGED], edited({}, { ownerReferences: undefined }, owned), owned],
    ['an annotation', [OTHER], annotated, owned],
    [
      'another owner’s',
      [OTHER],
      edited({ replicas: 7 }, { ownerReferences: [{ ...controller, kind: 'X' }] }),
      edited({}, { ownerReferences: [{ ...controller, kind: 'X' }] }),
    ],
    ['nobody’s, which gets labels', [OTHER], edited({}, { labels: { app: 'other' } }), aDeployment()],
    ['a foreign Deployment’s', [OTHER], edited({ replicas: 7 }, {}, foreign), foreign],
    ['a creation', [OTHER], owned, null],
    ['its size, by the Deployment controller', [], edited({ replicas: 7 }, {}, owned), owned, DC],
    ['its owner, taken off by the garbage collector', [OTHER], edited({}, { ownerReferences: [] }, owned), owned, GC],
  ] as readonly (readonly [string, readonly string[], Deployment, Deployment | null, string?])[]) {
    it(`call us for a ReplicaSet, and fail without an answer only where it may be of a release: ${what}`, () =>
      assert.deepEqual(called(next, old, username, false, 'replicasets'), webhooksCalled));
  }

  for (const [what, resource, operation, object, oldObject] of [
    ['a deletion', 'replicasets', 'DELETE', null, owned],
    [
      'a scale',
      'replicasets/scale',
      'UPDATE',
      { metadata: { name: 'web-1' }, spec: { replicas: 7 } },
      { metadata: { name: 'web-1' }, spec: { replicas: 1 } },
    ],
  ] as const) {
    it(`call us for a ReplicaSet, and pass without an answer: ${what}`, () => {
      const variables = ['object', 'oldObject', 'request', 'authorizer'];
      const values = { object, oldObject, request: { operation, userInfo: { username: 'alice' } }, authorizer: null };
      const names = webhooks
        .filter(({ rules }) =>
          rules.some((rule) => rule.resources.includes(resource) && rule.operations.includes(operation)),
        )
        .filter(({ matchConditions = [] }) =>
          matchConditions.every(
            ({ expression }) => compile(expression, { variables, returns: ['bool'] }).evaluate(values) === true,
          ),
        );
      assert.deepEqual(
        names.map(({ name }) => name),
        [OTHER],
      );
    });
  }

  it('call us for every creation: a Rollout may name it already, and one with our label may be a copy of a held one', () => {
    assert.equal(calls(aDeployment(), null), true);
    assert.equal(calls(bare, null), true);
    assert.equal(webhook('created.deployments.tranche.dev').objectSelector, undefined);
  });

  const set = (partition: number, metadata: object = {}, version = 'v1', type = 'RollingUpdate'): Deployment => {
    const { metadata: own, spec } = aDeployment(version);
    const { strategy: _, ...rest } = spec;
    const updateStrategy = { type, rollingUpdate: { partition } };
    return { kind: 'StatefulSet', metadata: { ...own, ...metadata }, spec: { ...rest, updateStrategy } } as Deployment;
  };
  const heldSet = set(2147483647, { annotations });
  for (const [what, webhook, old, next] of [
    ['a scale', undefined, set(0), { ...set(0), spec: { ...set(0).spec, replicas: 7 } }],
    ['a foreign annotation', undefined, heldSet, set(2147483647, { annotations: { ...annotations, note: 'b' } })],
    ['a new template', 'enrolled', set(0), set(0, {}, 'v2')],
    ['a new template during a release', 'enrolled', heldSet, set(2147483647, { annotations }, 'v2')],
    ['another template, given back at the same time', 'enrolled', heldSet, set(0, {}, 'v2')],
    ['the partition during a release', 'enrolled', heldSet, set(0, { annotations })],
    ['another strategy', 'enrolled', set(0), set(0, {}, 'v1', 'OnDelete')],
    ['the record taken off alone', 'enrolled', heldSet, set(2147483647)],
    ['the enrolment taken off', 'enrolled', heldSet, set(0, { labels: {} })],
    ['giving it back', 'way-out', heldSet, set(0)],
    ['the partition at rest', 'way-out', set(0), set(3)],
  ] as const)
    it(`for a StatefulSet call ${webhook ?? 'nobody'} for ${what}`, () => {
      const names = called(next, old, 'alice', false, 'statefulsets').filter(
        (name) => name !== 'statefulsets.tranche.dev',
      );
      assert.deepEqual(names, webhook === undefined ? [] : [`${webhook}.statefulsets.tranche.dev`]);
      assert.deepEqual(called(next, old, OPERATOR, false, 'statefulsets'), []);
    });

  const daemon = (type: string, metadata: object = {}, version = 'v1', maxUnavailable = 1): Deployment => {
    const { metadata: own, spec } = aDeployment(version);
    const { strategy: _, ...rest } = spec;
    const updateStrategy = { type, rollingUpdate: { maxUnavailable } };
    return { kind: 'DaemonSet', metadata: { ...own, ...metadata }, spec: { ...rest, updateStrategy } } as Deployment;
  };
  const [free, heldDaemon] = [daemon('RollingUpdate'), daemon('OnDelete', { annotations })];
  for (const [what, webhook, old, next] of [
    ['a foreign annotation', undefined, heldDaemon, daemon('OnDelete', { annotations: { ...annotations, note: 'b' } })],
    ['a new template', 'enrolled', free, daemon('RollingUpdate', {}, 'v2')],
    ['a new template during a release', 'enrolled', heldDaemon, daemon('OnDelete', { annotations }, 'v2')],
    ['another template, given back at the same time', 'enrolled', heldDaemon, daemon('RollingUpdate', {}, 'v2')],
    ['the type during a release', 'enrolled', heldDaemon, daemon('RollingUpdate', { annotations })],
    ['the record taken off alone', 'enrolled', heldDaemon, daemon('OnDelete')],
    ['the enrolment taken off', 'enrolled', heldDaemon, daemon('RollingUpdate', { labels: {} })],
    ['giving it back', 'way-out', heldDaemon, free],
    ['another type at rest', 'way-out', free, daemon('OnDelete')],
    ['another limit at rest', 'way-out', free, daemon('RollingUpdate', {}, 'v1', 2)],
  ] as const)
    it(`for a DaemonSet call ${webhook ?? 'nobody'} for ${what}`, () => {
      const names = called(next, old, 'alice', false, 'daemonsets').filter((name) => name !== 'daemonsets.tranche.dev');
      assert.deepEqual(names, webhook === undefined ? [] : [`${webhook}.daemonsets.tranche.dev`]);
      assert.deepEqual(called(next, old, OPERATOR, false, 'daemonsets'), []);
    });

  it('call the operator for its own writes only where fields have other owners', () => {
    assert.equal(calls(aDeployment('v2'), aDeployment(), OPERATOR), false);
    assert.equal(calls(aDeployment(), null, OPERATOR), false);
    const ours = { manager: 'tranche', operation: 'Update' };
    const applied = { manager: 'helm', operation: 'Apply' };
    const write = (...managedFields: object[]): Deployment => edited({ minReadySeconds: 3 }, { managedFields });
    assert.deepEqual(called(write(applied, ours), aDeployment(), OPERATOR), [OWN]);
    assert.equal(calls(write(ours), aDeployment(), OPERATOR), false, 'nobody applies');
    assert.equal(calls(write(applied), aDeployment(), OPERATOR), false, 'nothing is ours');
    assert.equal(calls(write(applied, { ...ours, subresource: 'scale' }), aDeployment(), OPERATOR), false);
    assert.equal(called(write(applied, ours), aDeployment()).includes(OWN), false);
    const [held, owned] = [{ [keys.HELD]: '{}' }, { [keys.FIELD_OWNERS]: '[]' }];
    const during = edited({ paused: true }, { annotations: { ...held, ...owned } });
    const managedFields = [ours];
    assert.deepEqual(called(edited({}, { annotations: owned, managedFields }), during, OPERATOR), [OWN]);
    assert.equal(calls(edited({}, { annotations: owned }), during, OPERATOR), false);
    assert.equal(calls(edited({}, { managedFields }), edited({}, { annotations: held }), OPERATOR), false);
    const next = edited({ paused: false }, { annotations: { ...held, ...owned }, managedFields });
    assert.equal(calls(next, during, OPERATOR), false);
  });

  it('need nothing that Kubernetes 1.28 does not have', () => {
    for (const { matchConditions = [] } of webhooks) {
      for (const { expression } of matchConditions) assert.doesNotMatch(expression, /\.\?|optional/);
    }
  });
});
