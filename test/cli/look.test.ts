// Commands that only look, against a cluster with the operator at work.
import assert from 'node:assert/strict';
import { EXIT } from '../../src/cli/exit.ts';
import { until } from '../main/cluster.ts';
import { stringify } from 'yaml';
import {
  deployment,
  golden,
  rollout,
  rolloutPath,
  runPlugin,
  Stage,
  startPlayground,
  type Playground,
  type Result,
} from './support.ts';

describe('kubectl tranche, looking at a cluster', () => {
  let playground: Playground;
  let stage: Stage;

  before(async () => {
    playground = await startPlayground();
    stage = await Stage.open(playground, 'looking');
  });
  after(() => playground.stop());

  it('shows a Rollout at rest', async () => {
    golden(
      'at-rest',
      ['list -n looking', await stage.tranche('list')],
      ['status web -n looking', await stage.tranche('status', 'web')],
      ['history web -n looking', await stage.tranche('history', 'web')],
    );
  });

  it('shows a release that waits for approval', async () => {
    await stage.release('web:v2');
    await stage.waits(1);
    golden(
      'waiting',
      ['list -A', await stage.tranche('list', '-A')],
      ['list -o wide -n looking', await stage.tranche('list', '-o', 'wide')],
      ['status -n looking', await stage.tranche('status')],
      ['status deployment/web -n looking', await stage.tranche('status', 'deployment/web')],
      ['history web -n looking', await stage.tranche('history', 'web')],
      ['plan web -n looking', await stage.tranche('plan', 'web')],
    );
  });

  it('shows in a wide history who broke the glass, and why', async () => {
    const [entry] = (await stage.rollout()).status?.history ?? [];
    const marks = ['outage 7', 'a\nreason | in two lines'].map((reason) => ({
      user: 'eve',
      reason,
      time: '2026-01-02T03:04:05Z',
    }));
    // As the operator writes it.
    await playground.cluster.api.request({
      method: 'PATCH',
      path: `${rolloutPath('looking')}/status`,
      query: { fieldManager: 'tranche' },
      contentType: 'application/merge-patch+json',
      body: { status: { history: [{ ...entry, brokenGlass: marks }] } },
    });
    golden(
      'broken-glass',
      ['history web -n looking', await stage.tranche('history', 'web')],
      ['history web -o wide -n looking', await stage.tranche('history', 'web', '-o', 'wide')],
    );
  });

  it('says what policies ask for', async () => {
    const policies = '/apis/tranche.dev/v1alpha1/releasepolicies';
    await stage.post(policies, {
      apiVersion: 'tranche.dev/v1alpha1',
      kind: 'ReleasePolicy',
      metadata: { name: 'careful' },
      spec: {
        match: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'looking' } } },
        steps: { minSteps: 4 },
        approval: { required: 2, groups: ['release-managers'], notAuthor: true },
        windows: { timeZone: 'UTC', deny: [{ schedule: '0 0 1 1 *', durationSeconds: 60, reason: 'fireworks' }] },
        maxConcurrentReleases: 3,
      },
    });
    const plan = await stage.tranche('plan', 'web');
    const status = await stage.tranche('status', 'web');
    const viewer = await stage.tranche('plan', 'web', '--kubeconfig', await playground.viewer('looking'));
    // A policy of the files takes the place of the stored one with its name.
    const written = (name: string, spec: object): string =>
      stringify({ apiVersion: 'tranche.dev/v1alpha1', kind: 'ReleasePolicy', metadata: { name }, spec });
    const stdin = [written('careful', { steps: { minSteps: 5 } }), written('more', { approval: { required: 1 } })];
    const env = { KUBECONFIG: playground.cluster.kubeconfig };
    const asked = ['plan', 'web', '-f', '-', '-n', 'looking'];
    const tried = await runPlugin(asked, { env, stdin: stdin.join('---\n') });
    await playground.cluster.api.request({ method: 'DELETE', path: `${policies}/careful` });
    // How many have approved so far is the operator's to say.
    assert.match(
      status.out,
      /requires approval by 2 people, each a member of release-managers, not the author \(policy careful\)/,
    );
    golden(
      'policies',
      ['plan web', plan],
      ['plan web   # by somebody who may not read policies', viewer],
      ['plan web -f policies.yaml', tried],
    );
  });

  it('plans a changed Deployment, another size, and says what starts no release', async () => {
    const manifest = (image: string, spec: object = {}): string => {
      const made = deployment('looking', image) as { spec: object };
      return stringify({ ...made, spec: { ...made.spec, ...spec } });
    };
    const env = { KUBECONFIG: playground.cluster.kubeconfig };
    const plan = (stdin: string, ...args: readonly string[]): Promise<Result> =>
      runPlugin(['plan', '-f', '-', '-n', 'looking', ...args], { env, stdin });
    golden(
      'plan-cluster',
      ['plan -f new.yaml   # another image', await plan(manifest('web:v3'), 'web')],
      [
        'plan -f big.yaml   # 20 Pods, maxSurge 5',
        await plan(manifest('web:v3', { replicas: 20, strategy: { rollingUpdate: { maxSurge: 5 } } })),
      ],
      ['plan -f same.yaml   # the template it has', await plan(manifest('web:v2'))],
      ['plan -f old.yaml   # the version before the release', await plan(manifest('web:v1'))],
      [
        'plan -f recreate.yaml   # strategy Recreate',
        await plan(manifest('web:v3', { strategy: { type: 'Recreate' } })),
      ],
      ['plan api -f new.yaml', await plan(manifest('web:v3'), 'api')],
      ['plan web --replicas 1 -o wide', await stage.tranche('plan', 'web', '--replicas', '1', '-o', 'wide')],
      ['plan web -o name', await stage.tranche('plan', 'web', '-o', 'name')],
    );
  });

  it('lets nothing that an object says reach the terminal', async () => {
    const text = 'mallory\x1b[2J\x1b]0;owned\x07\n✓ no problems\u202e';
    const made = rollout('looking') as { metadata: object; spec: object };
    const evil = '/apis/rollouts.kruise.io/v1beta1/namespaces/looking/rollouts';
    // As the operator, past the webhook, and of a kind that the operator leaves alone.
    const { api } = playground.cluster;
    const query = { fieldManager: 'tranche' };
    const body = {
      ...made,
      metadata: { name: 'evil', namespace: 'looking' },
      spec: { ...made.spec, workloadRef: { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web' } },
    };
    await api.request({ method: 'POST', path: evil, query, body });
    const conditions = [{ type: 'Stalled', status: 'True', reason: 'PodsFailing', message: text }];
    const contentType = 'application/merge-patch+json';
    const status = { phase: 'Healthy', message: text, conditions };
    await api.request({ method: 'PATCH', path: `${evil}/evil/status`, query, contentType, body: { status } });
    const env = { KUBECONFIG: playground.cluster.kubeconfig, NO_COLOR: '1' };
    for (const args of [
      ['status', 'evil'],
      ['list'],
      ['list', '-o', 'yaml'],
      ['list', '-o', 'jsonpath={..message}'],
      ['doctor'],
    ]) {
      const { out, err } = await runPlugin([...args, '-n', 'looking'], { env, terminal: true });
      assert.doesNotMatch(out + err, /[\x1b\x07\x9b\u202e]/, args.join(' '));
      assert.match(out, /mallory/, args.join(' '));
      if (args.length < 3) assert.doesNotMatch(out, /^✓ no problems/m, args.join(' '));
    }
    await api.request({ method: 'DELETE', path: `${evil}/evil` });
  });

  it('gives the objects themselves to machines', async () => {
    const json = JSON.parse((await stage.tranche('list', '-o', 'json')).out) as { kind: string; items: object[] };
    assert.equal(json.kind, 'List');
    assert.equal(json.items.length, 1);
    const { metadata } = JSON.parse((await stage.tranche('status', 'web', '-o', 'json')).out) as {
      metadata: { name: string };
    };
    assert.equal(metadata.name, 'web');
    golden(
      'machines',
      [
        "list -o jsonpath='{...}'",
        await stage.tranche('list', '-o', "jsonpath={range .items[*]}{.metadata.name}={.status.phase}{'\\n'}{end}"),
      ],
      ['list -o name', await stage.tranche('list', '-o', 'name')],
      ['history web -o jsonpath={[0].author}', await stage.tranche('history', 'web', '-o', 'jsonpath={[0].author}')],
    );
  });

  it('refuses in words what is not there', async () => {
    golden(
      'not-there',
      ['status wbe -n looking', await stage.tranche('status', 'wbe')],
      ['status deployment/api -n looking', await stage.tranche('status', 'deployment/api')],
      ['status pod/web -n looking', await stage.tranche('status', 'pod/web')],
      ['list -n nowhere', await playground.tranche('list', '-n', 'nowhere')],
      ['list -o xml', await stage.tranche('list', '-o', 'xml')],
      [
        '--context other list',
        await playground
          .tranche('--context', 'other', 'list')
          .then((result) => ({ ...result, err: result.err.replace(/kubeconfig \S+:/, 'kubeconfig FILE:') })),
      ],
    );
  });

  it('follows a release, one line per change, and ends with its outcome', async () => {
    const approval = await stage.tranche('status', 'web', '--watch', '--until', 'approval', '--timeout', '30s');
    assert.equal(approval.code, 0);
    const late = await stage.tranche('status', 'web', '--watch', '--timeout', '1s');
    assert.equal(late.code, 3);
    assert.match(late.err, /timed out after 1s: step 1\/3 done: waiting for approval/);
    const watching = stage.tranche('status', 'web', '--watch', '--timeout', '60s');
    await stage.tranche('jump', 'web', '3');
    const { code, out, err } = await watching;
    assert.equal(code, 0, out + err);
    const lines = out.trimEnd().split('\n');
    assert.match(lines[0]!, /^\d\d:\d\d:\d\d +Waiting +1\/4 +step 1\/3 done: waiting for approval/);
    assert.match(lines.at(-1)!, /Idle +4\/4 +Rollout progressing has been completed/);
    assert.equal(new Set(lines.map((line) => line.slice(8))).size, lines.length, 'a line came twice');
  });

  it('follows a list, one line per change, until Ctrl-C', async () => {
    const env = { KUBECONFIG: playground.cluster.kubeconfig };
    const ctrlC = new AbortController();
    const heard = ['', ''];
    const follow = (i: number, ...args: readonly string[]): Promise<Result> =>
      runPlugin(['list', '--watch', '-n', 'looking', ...args], {
        env,
        signal: ctrlC.signal,
        hear: (out) => void (heard[i] = out),
      });
    const both = [follow(0), follow(1, '-o', 'jsonpath={.spec.disabled}')];
    const hears = (...patterns: readonly [RegExp, RegExp]): Promise<void> =>
      until(
        () => patterns.every((pattern, i) => pattern.test(heard[i]!)),
        () => JSON.stringify(heard),
      );
    await hears(/^NAME +WORKLOAD +STEP.*\nweb .* Idle .*\n/, /^\n/);
    await stage.patch(rolloutPath('looking'), { spec: { disabled: true } });
    await hears(/\nweb .* Disabled /, /\ntrue\n/);
    await stage.patch(rolloutPath('looking'), { spec: { disabled: false } });
    await hears(/Disabled [^]*\nweb .* Idle .*\n$/, /true\n[^]*false\n/);
    ctrlC.abort();
    for (const { code, err } of await Promise.all(both)) assert.deepEqual([code, err], [EXIT.interrupted, '']);
    const late = await stage.tranche('list', '--watch', '--timeout', '1ms');
    assert.deepEqual([late.code, late.err.split(':')[1]], [3, ' timed out after 1ms']);
  });

  it('says at once who may not follow it', async () => {
    const { code, err } = await playground.tranche('list', '-w', '-A', '--as', 'nobody');
    assert.equal(code, 4);
    assert.match(err, /User "nobody" cannot list resource "rollouts"/);
  });

  it('draws a live picture on a terminal, and colours only there and without NO_COLOR', async () => {
    const env = { KUBECONFIG: playground.cluster.kubeconfig };
    const args = ['status', 'web', '-n', 'looking'];
    const live = await runPlugin([...args, '--watch'], { env, terminal: true });
    assert.equal(live.code, 0);
    assert.match(live.out, /\x1b\[J/);
    const coloured = await runPlugin(args, { env, terminal: true });
    assert.match(coloured.out, /\x1b\[32m/);
    for (const dull of [
      await runPlugin(args, { env: { ...env, NO_COLOR: '1' }, terminal: true }),
      await runPlugin([...args, '--no-color'], { env, terminal: true }),
      await runPlugin(args, { env }),
    ])
      assert.doesNotMatch(dull.out, /\x1b/);
  });

  it('completes the names of Rollouts, Deployments, namespaces and contexts, and the numbers of steps', async () => {
    const env = { KUBECONFIG: playground.cluster.kubeconfig };
    const complete = async (...words: readonly string[]): Promise<string[]> =>
      (await runPlugin(['__complete', '--', ...words], { env })).out.trimEnd().split('\n');
    assert.deepEqual(await complete('approve', '-n', 'looking', 'w'), ['web']);
    assert.deepEqual(await complete('init', '-n', 'looking', ''), ['web']);
    assert.deepEqual(await complete('jump', '-n', 'looking', 'web', ''), ['1', '2', '3']);
    assert.deepEqual(await complete('approve', 'web', '--namespace=looking', '--step', ''), ['1', '2', '3']);
    assert.deepEqual(await complete('-n', 'look'), ['looking']);
    assert.equal((await complete('--context', '')).length, 1);
    assert.deepEqual(await complete('approve', '--kubeconfig', 'not-there', ''), ['']);
  });

  it('writes a Rollout that fits a Deployment, and makes it', async () => {
    await stage.post('/apis/apps/v1/namespaces/looking/deployments', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'api', namespace: 'looking' },
      spec: {
        replicas: 40,
        selector: { matchLabels: { app: 'api' } },
        template: { metadata: { labels: { app: 'api' } }, spec: { containers: [{ name: 'app', image: 'api:v1' }] } },
      },
    });
    for (const [name, replicas] of [
      ['none', 0],
      ['one', 1],
      ['three', 3],
      ['hundred', 100],
    ] as const)
      await stage.post('/apis/apps/v1/namespaces/looking/deployments', {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: 'looking' },
        spec: {
          replicas,
          selector: { matchLabels: { app: name } },
          template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'app', image: 'api:v1' }] } },
        },
      });
    golden(
      'init-sizes',
      ['init none --apply --dry-run=server', await stage.tranche('init', 'none', '--apply', '--dry-run=server')],
      ['init none', await stage.tranche('init', 'none')],
      ['init one', await stage.tranche('init', 'one')],
      ['init three', await stage.tranche('init', 'three')],
      ['init hundred --apply', await stage.tranche('init', 'hundred', '--apply')],
      ['init hundred --dry-run=client   # without --apply', await stage.tranche('init', 'hundred', '--dry-run=client')],
    );
    golden(
      'init',
      ['init api -n looking', await stage.tranche('init', 'api')],
      [
        'init api --steps 2,50%,100% --pause 10m -n looking',
        await stage.tranche('init', 'api', '--steps', '2,50%,100%', '--pause', '10m'),
      ],
      ['init api --steps 50%,10% -n looking', await stage.tranche('init', 'api', '--steps', '50%,10%')],
      ['init api --steps half -n looking', await stage.tranche('init', 'api', '--steps', 'half')],
      ['init web -n looking', await stage.tranche('init', 'web')],
      ['init nothing -n looking', await stage.tranche('init', 'nothing')],
      [
        'init api --apply --dry-run=server -n looking',
        await stage.tranche('init', 'api', '--apply', '--dry-run=server'),
      ],
      ['init api --apply -n looking', await stage.tranche('init', 'api', '--apply')],
    );
    const { out } = await stage.tranche('list', '-o', 'name');
    assert.match(out, /\/api\n/);
  });
});
