// Policies as people meet them: each rule's refusal as kubectl prints it, the same under Warn and Audit, and the ways around that are none.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { ReleasePolicy } from '../../src/api/policy.ts';
import { ROLLOUTS } from '../../src/api/resources.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import type { Result } from '../support/processes.ts';
import { until as untilTrue } from '../support/until.ts';
import { makeNamespace, theCluster } from './harness/session.ts';
import { expectSoon, observe } from './observe.ts';
import { batchDone, changeVersion, deploymentManifest } from '../demo/walkthrough.ts';

const ALWAYS = { schedule: '0 0 * * *', durationSeconds: 86_399, reason: 'test freeze' };

describe('Policies', function () {
  let namespace: string;
  const client = () => theCluster().client;
  const kubectl = (args: readonly string[], input?: string): Promise<string> => client().kubectl(args, { input });
  const attempt = (args: readonly string[], input?: string): Promise<Result> =>
    client().attempt('kubectl', args, { input });
  const refused = async (args: readonly string[], expected: RegExp, input?: string): Promise<void> => {
    const { code, stderr } = await attempt(args, input);
    assert.notEqual(code, 0, `not refused: ${args.join(' ')}`);
    assert.match(stderr, expected);
  };
  const as = (user: string, ...groups: string[]): string[] => [
    `--as=${user}`,
    ...['system:authenticated', ...groups].map((group) => `--as-group=${group}`),
  ];

  const rollout = (steps: string): string => `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: { name: rollouts-demo, namespace: ${namespace} }
spec:
  workloadRef: { apiVersion: apps/v1, kind: Deployment, name: workload-demo }
  strategy: { canary: { steps: ${steps} } }`;
  const STEPS = '[{ replicas: 1 }, { replicas: "50%" }, { replicas: "100%" }]';

  /** For this namespace only; gone after the test. Applied when the webhook has seen it. */
  const withPolicy = async (spec: object): Promise<void> => {
    const match = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } } };
    const policy = {
      apiVersion: 'tranche.dev/v1alpha1',
      kind: 'ReleasePolicy',
      metadata: { name: namespace },
      spec: { match, ...spec },
    };
    await kubectl(['apply', '-f', '-'], JSON.stringify(policy));
    // Its status is written from the same cache that decisions are made from.
    await until('the policy is seen', async () => {
      const { status, metadata } = await readPolicy();
      return status?.observedGeneration === metadata.generation;
    });
  };
  const readPolicy = async (): Promise<ReleasePolicy> =>
    (await client().look<ReleasePolicy>(`/apis/tranche.dev/v1alpha1/releasepolicies/${namespace}`))!;
  const until = (what: string, condition: () => Promise<boolean>): Promise<void> =>
    untilTrue(condition, () => what, 30);
  const healthy = async (): Promise<void> => {
    await kubectl(['apply', '-f', '-'], rollout(STEPS));
    await expectSoon(() => observe(client(), namespace), {
      expected: 'a Healthy Rollout',
      reached: (seen) => seen.rollout?.status?.phase === 'Healthy',
    });
  };
  const release = async (version: string): Promise<void> => {
    await kubectl(changeVersion(namespace, version));
    await expectSoon(() => observe(client(), namespace), batchDone(1, 1, version));
  };
  const state = (): Promise<Rollout> => client().get<Rollout>(ROLLOUTS, namespace, 'rollouts-demo');
  const approve = (...who: string[]): string[] => [
    ...['patch', 'rollout', 'rollouts-demo', '-n', namespace, '--subresource=status', '--type=merge'],
    ...['-p', '{"status":{"canaryStatus":{"currentStepState":"StepReady"}}}', ...who],
  ];

  beforeEach('with a Deployment in a namespace of its own, whose admin is alice', async () => {
    namespace = await makeNamespace('policy');
    await kubectl(['apply', '-f', '-'], deploymentManifest(namespace));
    await kubectl(['rollout', 'status', 'deployment/workload-demo', '-n', namespace, '--timeout=60s']);
    await kubectl(['create', 'rolebinding', 'admins', '-n', namespace, '--clusterrole=admin', '--user=alice']);
    const approvers = ['--group=managers', '--group=sre', '--user=alice', '--user=bob', '--user=carol'];
    await kubectl([
      'create',
      'rolebinding',
      'approvers',
      '-n',
      namespace,
      '--clusterrole=tranche-approver',
      ...approvers,
    ]);
    await kubectl(['create', 'rolebinding', 'sre', '-n', namespace, '--clusterrole=admin', '--group=sre']);
  });
  afterEach(() => kubectl(['delete', 'releasepolicy', namespace, '--ignore-not-found']));

  const WITHOUT_STEPS =
    /spec\.template: Forbidden: policy \S+ requires a Rollout, and this change would be rolled out without steps; create a Rollout whose workloadRef names Deployment workload-demo first/;
  const CLOSED = /spec\.template: Forbidden: policy \S+ is closed until \S+Z \(test freeze\); try again after/;

  it('requireRollout refuses a change that no Rollout releases; Warn warns; Audit tells in an event', async () => {
    await withPolicy({ requireRollout: true });
    await refused(changeVersion(namespace, 'version-2'), WITHOUT_STEPS);
    await until('its status shows the refusal', async () => {
      const { status } = await readPolicy();
      return status?.refusals?.[0]?.rule === 'requireRollout';
    });
    await withPolicy({ requireRollout: true, enforcement: 'Warn' });
    const warned = await attempt(changeVersion(namespace, 'version-2'));
    assert.equal(warned.code, 0);
    assert.match(warned.stderr, /Warning: tranche: policy \S+ warns: spec\.template/);
    await withPolicy({ requireRollout: true, enforcement: 'Audit' });
    const audited = await attempt(changeVersion(namespace, 'version-3'));
    assert.deepEqual([audited.code, audited.stderr], [0, '']);
    await until('the event is there', async () =>
      /PolicyAudited/.test(await kubectl(['get', 'events', '-n', namespace])),
    );
  });

  it('steps: what a Rollout must be like is said all at once; Warn and Audit let it in', async () => {
    const steps = { maxFirstStep: '10%', maxIncrement: '50%', minSteps: 3, minPauseSeconds: 60, manual: 'First' };
    const bad = rollout('[{ replicas: "20%", pause: { duration: 5 } }, { replicas: "90%", pause: { duration: 5 } }]');
    await withPolicy({ steps });
    const { stderr } = await attempt(['apply', '-f', '-'], bad);
    for (const expected of [
      /steps: Invalid value: 2: must have at least 3 steps \(policy \S+\); add steps/,
      /steps\[0\]\.replicas: Invalid value: "20%": must be at most 10% in the first step \(policy \S+\); write 10% or less/,
      /steps\[1\]\.replicas: Invalid value: "90%": must be at most \S+ more than the step before \(policy \S+\)/,
      /steps\[0\]\.pause\.duration: Invalid value: 5: must not be set: this step must wait for approval \(policy \S+\)/,
      /steps\[1\]\.pause\.duration: Invalid value: 5: must be at least 60 seconds \(policy \S+\); write 60 or more/,
    ]) {
      assert.match(stderr, expected);
    }
    await withPolicy({ steps, enforcement: 'Warn' });
    const warned = await attempt(['apply', '-f', '-'], bad);
    assert.equal(warned.code, 0);
    assert.match(warned.stderr, /Warning: tranche: policy \S+ warns: spec\.strategy\.canary\.steps/);
    await kubectl(['delete', 'rollout', 'rollouts-demo', '-n', namespace]);
    await withPolicy({ steps, enforcement: 'Audit' });
    const audited = await attempt(['apply', '-f', '-'], bad);
    assert.equal(audited.code, 0);
    assert.doesNotMatch(audited.stderr, /tranche: policy|policy \S+ warns/);
  });

  it('windows: nothing starts in a freeze, but for who may break the glass and says why; the history keeps it', async () => {
    await healthy();
    await withPolicy({ windows: { deny: [ALWAYS] }, enforcement: 'Warn' });
    const dryRun = [...changeVersion(namespace, 'version-2'), '--dry-run=server'];
    assert.match((await attempt(dryRun)).stderr, /warns: spec\.template: Forbidden: policy \S+ is closed/);
    await withPolicy({ windows: { deny: [ALWAYS] }, enforcement: 'Audit' });
    assert.doesNotMatch((await attempt(dryRun)).stderr, /tranche: policy|policy \S+ warns/);
    await withPolicy({ windows: { deny: [ALWAYS] }, breakGlass: { groups: ['sre'] } });
    await refused(changeVersion(namespace, 'version-2'), CLOSED);
    const broken = (reason: string, who: string[]): string[] => {
      const template = { spec: { containers: [{ name: 'busybox', env: [{ name: 'VERSION', value: 'version-2' }] }] } };
      const patch = { metadata: { annotations: { 'tranche.dev/break-glass': reason } }, spec: { template } };
      return ['patch', 'deployment', 'workload-demo', '-n', namespace, '-p', JSON.stringify(patch), ...who];
    };
    await refused(broken('outage 7', as('alice')), /break-glass is accepted only from a member of sre/);
    await refused(broken(' ', as('eve', 'sre')), /write a reason/);
    await kubectl(broken('outage 7', as('eve', 'sre')));
    await expectSoon(() => observe(client(), namespace), batchDone(1, 1, 'version-2'));
    await until(
      'the history says so',
      async () => (await state()).status?.history?.[0]?.brokenGlass?.[0]?.user === 'eve',
    );
  });

  it('approval: others are told who could; two people, neither of them the author', async () => {
    await healthy();
    await withPolicy({ approval: { required: 2, groups: ['managers'], users: ['alice'], notAuthor: true } });
    await kubectl([...changeVersion(namespace, 'version-2'), ...as('alice')]);
    await expectSoon(() => observe(client(), namespace), batchDone(1, 1, 'version-2'));
    await refused(approve(...as('mallory')), /forbidden/i);
    await refused(
      approve(...as('bob')),
      /policy \S+ does not list "bob" as an approver; ask alice, or a member of managers/,
    );
    await refused(approve(...as('alice')), /"alice" changed the template, and policy \S+ requires another approver/);
    const first = await attempt(approve(...as('mia', 'managers')));
    assert.match(first.stderr, /1 of 2 approvals/);
    assert.equal((await state()).status?.canaryStatus?.currentStepState, 'StepPaused');
    await kubectl(approve(...as('mo', 'managers')));
    await expectSoon(() => observe(client(), namespace), batchDone(2, 5, 'version-2'));
    assert.deepEqual(
      (await state()).status?.canaryStatus?.approvals?.map(({ user }) => user),
      ['mia', 'mo'],
    );
    await withPolicy({ approval: { groups: ['managers'] }, enforcement: 'Warn' });
    assert.match(
      (await attempt([...approve(...as('bob')), '--dry-run=server'])).stderr,
      /warns: approval: Forbidden: policy \S+ does not list "bob" as an approver/,
    );
    await withPolicy({ approval: { groups: ['managers'] }, enforcement: 'Audit' });
    assert.doesNotMatch(
      (await attempt([...approve(...as('bob')), '--dry-run=server'])).stderr,
      /tranche: policy|policy \S+ warns/,
    );
  });

  it('approval: two at the very same instant are both counted, or one is told to try again; one person twice is one', async () => {
    await kubectl(['apply', '-f', '-'], rollout('[1, 2, 3, 4, "100%"]'.replace(/[^[\], ]+/g, '{ replicas: $& }')));
    await expectSoon(() => observe(client(), namespace), {
      expected: 'a Healthy Rollout',
      reached: (seen) => seen.rollout?.status?.phase === 'Healthy',
    });
    await withPolicy({ approval: { required: 2, groups: ['managers'] } });
    await release('version-2');
    const together = (users: readonly string[]): Promise<Result[]> =>
      Promise.all(users.map((user) => attempt(approve(...as(user, 'managers')))));
    const recordedFor = async (step: number): Promise<string[]> =>
      ((await state()).status?.canaryStatus?.approvals ?? [])
        .filter((approval) => approval.step === step)
        .map(({ user }) => user)
        .toSorted();
    const people = ['mia', 'mo'];
    for (const step of [1, 2, 3]) {
      const results = await together(people);
      const told = people.filter((_, index) => results[index]!.code !== 0);
      for (const { code, stderr } of results) if (code !== 0) assert.match(stderr, /conflict|has been modified/i);
      assert.ok(told.length < 2, 'one of them is first');
      const counted = people.filter((user) => !told.includes(user));
      assert.deepEqual(await recordedFor(step), counted, `of step ${step}`);
      // The API server asks again after a conflict: then the second one is told what both attempts were told.
      assert.ok(results.some(({ stderr }) => /1 of 2 approvals/.test(stderr)));
      // Whoever was told to try again does.
      for (const user of told) await kubectl(approve(...as(user, 'managers')));
      await expectSoon(() => observe(client(), namespace), batchDone(step + 1, step + 1, 'version-2'));
      assert.deepEqual(await recordedFor(step), people);
    }
    await together(['mia', 'mia', 'mia']);
    assert.deepEqual(await recordedFor(4), ['mia']);
    assert.equal((await state()).status?.canaryStatus?.currentStepState, 'StepPaused', 'one person is not two');
  });

  it('the verb approve is needed, and the right to write the status is not enough', async () => {
    await healthy();
    await release('version-2');
    await kubectl([
      'create',
      'role',
      'writers',
      '-n',
      namespace,
      '--verb=get,patch',
      '--resource=rollouts.rollouts.kruise.io,rollouts.rollouts.kruise.io/status',
    ]);
    await kubectl(['create', 'rolebinding', 'writers', '-n', namespace, '--role=writers', '--user=dave']);
    await refused(
      approve(...as('dave')),
      /user "dave" does not have the verb approve on rollouts\.rollouts\.kruise\.io/,
    );
    await kubectl(approve(...as('bob')));
  });

  it('maxConcurrentReleases: a release too many is refused, or warned of', async () => {
    await healthy();
    await release('version-2');
    const other = deploymentManifest(namespace).replaceAll('workload-demo', 'other').replaceAll('demo', 'other');
    await kubectl(['apply', '-f', '-'], other);
    await kubectl(
      ['apply', '-f', '-'],
      rollout(STEPS).replaceAll('workload-demo', 'other').replace('rollouts-demo', 'other'),
    );
    await until('the other is Healthy', async () => {
      return (await client().json<Rollout>(['get', 'rollout', 'other', '-n', namespace])).status?.phase === 'Healthy';
    });
    const change = ['set', 'env', 'deployment/other', '-n', namespace, 'VERSION=version-2'];
    await withPolicy({ maxConcurrentReleases: 1 });
    await refused(change, /policy \S+ allows 1 release at a time in this namespace \(running: 1\)/);
    await withPolicy({ maxConcurrentReleases: 1, enforcement: 'Audit' });
    assert.doesNotMatch((await attempt([...change, '--dry-run=server'])).stderr, /tranche: policy|policy \S+ warns/);
    await withPolicy({ maxConcurrentReleases: 1, enforcement: 'Warn' });
    assert.match(
      (await attempt(change)).stderr,
      /warns: spec\.template: Forbidden: policy \S+ allows 1 release at a time/,
    );
  });

  it('protectInFlight: what is refused in the middle of a release is warned of under Warn, and told under Audit', async () => {
    await healthy();
    await release('version-2');
    const remove = ['delete', 'rollout', 'rollouts-demo', '-n', namespace];
    const disable = ['patch', 'rollout', 'rollouts-demo', '-n', namespace, '--type=merge', '-p'];
    const disabled = [...disable, '{"spec":{"disabled":true}}'];
    const scaled = ['scale', 'deployment/workload-demo', '-n', namespace, '--replicas=0'];
    const dry = (args: readonly string[]): string[] => [...args, '--dry-run=server'];
    await withPolicy({ protectInFlight: true });
    const denied = [
      [
        remove,
        /metadata\.name: Forbidden: Rollout rollouts-demo cannot be deleted during its release \(policy \S+ protects/,
      ],
      [disabled, /spec\.disabled: Forbidden: cannot be set during a release \(policy \S+ protects/],
      [scaled, /spec\.replicas: Invalid value: 0: must be at least 1 during a release \(policy/],
    ] as const;
    for (const [args, expected] of denied) await refused(args, expected);
    await withPolicy({ protectInFlight: true, enforcement: 'Warn' });
    for (const [args, expected] of denied) {
      const { code, stderr } = await attempt(dry(args));
      assert.equal(code, 0, stderr);
      assert.match(stderr, /Warning: tranche: policy \S+ warns: /);
      assert.match(stderr, expected);
    }
    await withPolicy({ protectInFlight: true, enforcement: 'Audit' });
    for (const [args] of denied) {
      const { code, stderr } = await attempt(dry(args));
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /tranche: policy|policy \S+ warns/);
    }
    const events = async (): Promise<string> => kubectl(['get', 'events', '-n', namespace]);
    assert.doesNotMatch(await events(), /PolicyAudited/, 'a dry run is told to nobody');
    await kubectl(disabled);
    await until('the event is there', async () => /PolicyAudited.*spec\.disabled: Forbidden/.test(await events()));
  });

  it('an admin of the namespace cannot get a release in flight out of its steps', async () => {
    await healthy();
    await withPolicy({ requireRollout: true, protectInFlight: true, approval: { groups: ['managers'] } });
    await kubectl([...changeVersion(namespace, 'version-2'), ...as('alice')]);
    await expectSoon(() => observe(client(), namespace), batchDone(1, 1, 'version-2'));
    const who = [...as('alice'), '-n', namespace];
    const deployment = 'deployment/workload-demo';
    const edit = (patch: object): string[] => [
      'patch',
      'rollout',
      'rollouts-demo',
      '--type=merge',
      '-p',
      JSON.stringify(patch),
      ...who,
    ];

    await refused(['delete', 'rollout', 'rollouts-demo', ...who], /cannot be deleted during its release/);
    await refused(edit({ spec: { disabled: true } }), /spec\.disabled: Forbidden: cannot be set/);
    await refused(edit({ spec: { workloadRef: { name: 'nothing' } } }), /cannot change during a release/);
    await refused(
      ['scale', deployment, '--replicas=0', ...who],
      /spec\.replicas: Invalid value: 0: must be at least 1 during a release/,
    );
    await refused(
      ['patch', 'deployment', 'workload-demo', '-p', '{"spec":{"replicas":0}}', ...who],
      /must be at least 1 during a release/,
    );
    const goOn = [{ op: 'add', path: '/spec/strategy/canary/steps/0/pause', value: { duration: 0 } }];
    await refused(
      ['patch', 'rollout', 'rollouts-demo', '--type=json', '-p', JSON.stringify(goOn), ...who],
      /policy \S+ does not list "alice" as an approver/,
    );
    await refused(approve(...as('alice')), /policy \S+ does not list "alice" as an approver/);
    await refused(
      ['create', '-f', '-', ...who],
      /already released by Rollout rollouts-demo/,
      rollout(STEPS).replace('rollouts-demo', 'second'),
    );

    // Harmless: what is dropped is put back.
    for (const harmless of [
      ['label', deployment, 'rollouts.kruise.io/workload-type-', ...who],
      ['annotate', deployment, 'tranche.dev/held-', 'rollouts.kruise.io/in-progressing-', ...who],
      ['annotate', deployment, 'tranche.dev/glass-broken={}', ...who],
      ['rollout', 'resume', deployment, ...who],
      [
        'patch',
        'deployment',
        'workload-demo',
        '--subresource=status',
        '--type=merge',
        '-p',
        '{"status":{"replicas":3}}',
        ...who,
      ],
    ]) {
      await attempt(harmless);
    }
    const forced = deploymentManifest(namespace)
      .replace('version-1', 'version-2')
      .replace('replicas: 10', 'replicas: 10\n  paused: false');
    await attempt(['apply', '--server-side', '--force-conflicts', '-f', '-', ...who], forced);
    const seen = await expectSoon(() => observe(client(), namespace), {
      ...batchDone(1, 1, 'version-2'),
      steadyLooks: 10,
    });
    assert.ok((seen.deployment as Deployment).metadata.annotations?.['tranche.dev/held']);
    assert.equal((seen.deployment as Deployment).metadata.annotations?.['tranche.dev/glass-broken'], undefined);
  });

  it('tells how many Deployments and Rollouts it matches, as they come, change and go', async () => {
    const counts = (deployments: number, rollouts: number): Promise<void> =>
      until(`it matches ${deployments} and ${rollouts}`, async () => {
        const { status } = await readPolicy();
        return status?.matchedDeployments === deployments && status.matchedRollouts === rollouts;
      });
    const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
    const workloadSelector = { matchLabels: { tier: 'gold' } };
    await withPolicy({ match: { namespaceSelector, workloadSelector } });
    await counts(0, 0);
    await kubectl(['label', 'deployment/workload-demo', '-n', namespace, 'tier=gold']);
    await healthy();
    await counts(1, 1);
    await kubectl(['label', 'deployment/workload-demo', '-n', namespace, 'tier-']);
    await counts(0, 0);
    await withPolicy({});
    await counts(1, 1);
    const other = deploymentManifest(namespace).replaceAll('workload-demo', 'other').replaceAll('demo', 'other');
    await kubectl(['apply', '-f', '-'], other);
    const second = rollout(STEPS).replaceAll('workload-demo', 'other').replace('rollouts-demo', 'other');
    await kubectl(['apply', '-f', '-'], second);
    await counts(2, 2);
    assert.match(await kubectl(['get', 'releasepolicy', namespace]), /\b2\b/);
    await kubectl(['delete', 'rollout', 'other', '-n', namespace]);
    await counts(1, 1);
  });

  it('a policy that cannot be kept is refused when it is written', async () => {
    const policy = (spec: object): string =>
      JSON.stringify({
        apiVersion: 'tranche.dev/v1alpha1',
        kind: 'ReleasePolicy',
        metadata: { name: namespace },
        spec,
      });
    const bad = policy({ windows: { timeZone: 'Mars', deny: [{ schedule: 'x x x x x', durationSeconds: 60 }] } });
    await refused(
      ['apply', '-f', '-'],
      /spec\.windows\.timeZone: Invalid value: "Mars": must be an IANA time zone[^]*schedule: Invalid value: "x x x x x": must be a cron schedule/,
      bad,
    );
    await refused(['apply', '-f', '-'], /spec\.approval\.groups: Required value/, policy({ approval: { groups: [] } }));
  });

  it('every example of the documentation is accepted', async () => {
    const text = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
    const examples = [...text.matchAll(/```yaml\n(apiVersion: tranche\.dev[^]*?)```/g)].map((match) => match[1]!);
    assert.ok(examples.length >= 3, `${examples.length} examples`);
    for (const example of examples) await kubectl(['apply', '--dry-run=server', '-f', '-'], example);
  });
});
