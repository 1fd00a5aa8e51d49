// Every command that changes something, in every state that a Rollout can be in: it says what it would do, or refuses in words.
import assert from 'node:assert/strict';
import { until } from '../main/cluster.ts';
import {
  deploymentPath,
  golden,
  rollout,
  rolloutPath,
  Stage,
  startPlayground,
  type Playground,
  type Result,
} from './support.ts';
import { goldenLive, liveViews } from '../view/dashboard/live.ts';

const COMMANDS = [
  ['approve', 'web'],
  ['pause', 'web'],
  ['resume', 'web'],
  ['jump', 'web', '2'],
  ['undo', 'web'],
  ['abort', 'web'],
  ['retry', 'web'],
  ['finish', 'web'],
  ['restart', 'web'],
] as const;
const LOOKS = [['status', 'web'], ['list'], ['history', 'web']] as const;
/** Which Pod it is that a step waits for is reported a little later. */
const quiet = (result: Result): Result => {
  const clean = (text: string): string => text.replace(/waiting for web-\S+ \(\w+\)/g, 'waiting for Pods');
  return { ...result, out: clean(result.out), err: clean(result.err) };
};
const HOOKS = '/apis/admissionregistration.k8s.io/v1';

describe('kubectl tranche, in every state', function () {
  let playground: Playground;

  before(async () => {
    playground = await startPlayground();
  });
  after(() => playground.stop());

  /** The server judges each of them, and nothing changes. */
  const everything = async (name: string, stage: Stage): Promise<void> => {
    const runs: Parameters<typeof golden>[1][] = [];
    for (const args of COMMANDS) runs.push([args.join(' '), await stage.tranche(...args, '--dry-run=server')]);
    for (const args of LOOKS) runs.push([args.join(' '), await stage.tranche(...args)]);
    golden(name, ...runs.map(([asked, result]): [string, typeof result] => [asked, quiet(result)]));
    for (const [asked, { code, err }] of runs) assert.ok(code !== 0 || !err.includes('error:'), asked);
    await dashboard(name, stage);
  };

  /** What the dashboard shows of the same state. */
  const dashboard = async (name: string, { namespace }: Stage): Promise<void> => {
    const { overview, details } = await liveViews(playground.cluster.kubeconfig, namespace);
    goldenLive(name, { overview, details });
  };

  it('while Pods of a step are starting', async () => {
    const stage = await Stage.open(playground, 'moving');
    await stage.release('web:broken');
    await stage.reaches(({ status }) => status?.canaryStatus?.currentStepState === 'StepUpgrade');
    await until(
      async () => /ErrImagePull|ImagePullBackOff/.test((await stage.tranche('status', 'web')).out),
      () => 'its Pod has not failed',
    );
    await everything('state-moving', stage);
  });

  it('while the Rollout is disabled', async () => {
    const stage = await Stage.open(playground, 'disabled');
    await stage.patch(rolloutPath('disabled'), { spec: { disabled: true } });
    await stage.reaches(({ status }) => status?.phase === 'Disabled');
    await everything('state-disabled', stage);
  });

  it('while the Rollout is being deleted', async () => {
    const stage = await Stage.open(playground, 'deleting');
    const { metadata } = await stage.rollout();
    const finalizers = [...(metadata.finalizers ?? []), 'test.example/keep'];
    await stage.patch(rolloutPath('deleting'), { metadata: { finalizers } });
    await playground.cluster.api.request({ method: 'DELETE', path: rolloutPath('deleting') });
    // Ours is taken off, and what is left is not for us.
    await stage.reaches((one) => one.metadata.finalizers?.length === 1);
    await everything('state-deleting', stage);
  });

  it('without a Deployment', async () => {
    const stage = await Stage.open(playground, 'alone');
    await playground.cluster.api.request({ method: 'DELETE', path: deploymentPath('alone') });
    await stage.reaches(({ status }) => status?.phase !== 'Healthy');
    await everything('state-alone', stage);
  });

  it('without a Rollout', async () => {
    const stage = await Stage.open(playground, 'nothing');
    await playground.cluster.api.request({ method: 'DELETE', path: rolloutPath('nothing') });
    await until(
      async () => (await stage.tranche('list', '-o', 'name')).out === '',
      () => 'the Rollout is still there',
    );
    await everything('state-nothing', stage);
  });

  it('without the operator, and with a second Rollout for the same Deployment', async () => {
    const stage = await Stage.open(playground, 'orphaned');
    await stage.release('web:v2');
    await stage.waits(1);
    await playground.program.stop();
    await everything('state-orphaned', stage);
    for (const kind of ['mutating', 'validating'])
      await playground.cluster.api.request({ method: 'DELETE', path: `${HOOKS}/${kind}webhookconfigurations/tranche` });
    // Made within the same second, the name decides: this one comes after `web` either way.
    const second = rollout('orphaned') as { metadata: object };
    await stage.post('/apis/rollouts.kruise.io/v1beta1/namespaces/orphaned/rollouts', {
      ...second,
      metadata: { ...second.metadata, name: 'web-second' },
    });
    const runs: Parameters<typeof golden>[1][] = [];
    for (const [command, , ...args] of COMMANDS)
      runs.push([`${command} web-second`, await stage.tranche(command, 'web-second', ...args, '--dry-run=server')]);
    golden('state-second', ...runs);
    await dashboard('state-second', stage);
    for (const [asked, { code }] of runs) assert.equal(code, 1, asked);
  });
});
