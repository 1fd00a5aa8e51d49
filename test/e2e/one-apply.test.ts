// One apply with two objects, by the real kubectl and helm: another version and another number of steps, and both back.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { until } from '../main/cluster.ts';
import { temporaryFolder } from '../support/processes.ts';
import { makeNamespace, theCluster } from './harness/session.ts';

interface Wanted {
  readonly version: string;
  readonly steps: readonly (number | string)[];
}

const FIRST: Wanted = { version: 'v1', steps: [1, '50%', '100%'] };
const FEWER: Wanted = { version: 'v2', steps: ['30%', '100%'] };
const MORE: Wanted = { version: 'v3', steps: [3, '40%', '80%', '100%'] };

/** Of minReadySeconds, so that a step is under way while the second object of an apply comes. */
const deployment = ({ version }: Wanted): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 10,
    minReadySeconds: 3,
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'nginx:1', env: [{ name: 'VERSION', value: version }] }] },
    },
  },
});
const rollout = ({ steps }: Wanted): object => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name: 'web' },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    strategy: { canary: { steps: steps.map((replicas) => ({ replicas })) } },
  },
});
/** The entries of Tranche for the object itself in metadata.managedFields. */
const ourFields = ({ metadata }: Deployment): readonly object[] =>
  (
    (metadata as { readonly managedFields?: readonly { readonly manager?: string; readonly subresource?: string }[] })
      .managedFields ?? []
  ).filter(({ manager, subresource }) => manager === 'tranche' && subresource === undefined);
const manifest = (wanted: Wanted, order: 'template first' | 'steps first'): string => {
  const both = [deployment(wanted), rollout(wanted)];
  return (order === 'template first' ? both : both.toReversed()).map((one) => stringify(one)).join('---\n');
};

for (const how of [
  'kubectl, template first',
  'kubectl, steps first',
  'kubectl --server-side, template first',
  'helm',
]) {
  describe(`One apply of a version and of another number of steps: ${how}`, function () {
    this.timeout(180_000);
    let namespace: string;
    let apply: (wanted: Wanted) => Promise<string>;
    let back: () => Promise<string>;

    const kubectl = (...args: string[]): Promise<string> => theCluster().client.kubectl([...args, '-n', namespace]);
    const get = <T>(what: string): Promise<T> => theCluster().client.json<T>(['get', what, '-n', namespace]);
    const look = async <T>(path: string): Promise<T> => (await theCluster().client.look<T>(path))!;
    const soon = async (what: string, holds: (one: Rollout, of: Deployment) => boolean): Promise<void> => {
      let last: unknown;
      await until(
        async () => {
          const [one, of] = await Promise.all([
            look<Rollout>(`/apis/rollouts.kruise.io/v1beta1/namespaces/${namespace}/rollouts/web`),
            look<Deployment>(`/apis/apps/v1/namespaces/${namespace}/deployments/web`),
          ]);
          last = { rollout: one.status, deployment: of.status };
          // Where somebody applies on the server, no field is ever ours, so no apply conflicts with us.
          if (how.includes('--server-side')) assert.deepEqual(ourFields(of), []);
          return holds(one, of);
        },
        () => `${what}: ${JSON.stringify(last)}`,
        60,
      );
    };
    /** In the pause of a step, with so many Pods of the new version, of so many steps. */
    const waitsAt = (step: number, steps: number, updated: number): Promise<void> =>
      soon(
        `step ${step} of ${steps} waits with ${updated} Pods`,
        ({ status }, of) =>
          !!status?.message?.startsWith(`step ${step}/${steps} done: waiting for approval (0 of 1)`) &&
          of.status?.updatedReplicas === updated,
      );
    /**
     * The first of so many new steps is done, with so many Pods. Where the client needed so long for its second object that the first of the
     * old steps was done, nothing further has gone out, and it takes an approval.
     */
    const begins = async (steps: number, updated: number): Promise<void> => {
      const at = `step 1/${steps}`;
      let message = '';
      await soon(`step 1 of ${steps} waits`, ({ status }) => {
        message = status?.message ?? '';
        return message.startsWith(`${at} done: `) || message.startsWith(`${at} not started: `);
      });
      if (message.startsWith(`${at} not started: `)) await approve();
      await soon(
        `step 1 of ${steps} is done with ${updated} Pods`,
        ({ status }, of) => !!status?.message?.startsWith(`${at} done: `) && of.status?.updatedReplicas === updated,
      );
    };
    const approve = (): Promise<string> =>
      kubectl(
        ...['patch', 'rollouts.rollouts.kruise.io/web', '--subresource=status', '--type=merge'],
        ...['-p', '{"status":{"canaryStatus":{"currentStepState":"StepReady"}}}'],
      );
    const isAtRest = (succeeded: 'True' | 'False') => (one: Rollout, of: Deployment) =>
      one.status?.phase === 'Healthy' &&
      one.status.conditions?.find(({ type }) => type === 'Succeeded')?.status === succeeded &&
      of.spec.paused !== true &&
      of.status?.updatedReplicas === 10 &&
      of.status.availableReplicas === 10;

    before(async () => {
      namespace = await makeNamespace(`apply-${how.replace(/[^a-z]/g, '').slice(0, 16)}`);
      const { client } = theCluster();
      if (how !== 'helm') {
        const order = how.endsWith('template first') ? 'template first' : 'steps first';
        const flags = how.includes('--server-side') ? ['--server-side'] : [];
        apply = (wanted) =>
          client.kubectl(['apply', ...flags, '-n', namespace, '-f', '-'], { input: manifest(wanted, order) });
        back = () => apply(FEWER);
      } else {
        const chart = path.join(temporaryFolder('apply'), 'web');
        mkdirSync(path.join(chart, 'templates'), { recursive: true });
        writeFileSync(path.join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: web\nversion: 0.1.0\n');
        const helm = (...args: string[]): Promise<string> => client.helm([...args, '-n', namespace]);
        apply = (wanted) => {
          writeFileSync(path.join(chart, 'templates/all.yaml'), manifest(wanted, 'template first'));
          return helm('upgrade', '--install', 'web', chart);
        };
        back = () => helm('rollback', 'web', '2');
      }
      await apply(FIRST);
      await soon(
        'the first version runs',
        (one, of) => one.status?.phase === 'Healthy' && of.status?.availableReplicas === 10,
      );
    });

    it('another version and fewer steps: released with these', async () => {
      await apply(FEWER);
      await begins(2, 3);
      await approve();
      await soon('it is completed', isAtRest('True'));
    });

    it('another version and more steps: released with these', async () => {
      await apply(MORE);
      await begins(4, 3);
      await approve();
      await waitsAt(2, 4, 4);
    });

    it('both back in the middle of it: the version before runs, with its steps', async () => {
      await back();
      await soon('it is rolled back', isAtRest('False'));
      const { spec } = await get<Rollout>('rollouts.rollouts.kruise.io/web');
      assert.deepEqual(
        spec.strategy.canary?.steps?.map(({ replicas }) => replicas),
        FEWER.steps,
      );
      assert.match(JSON.stringify((await get<Deployment>('deployment/web')).spec.template), /"v2"/);
    });

    it('the same file again changes nothing', async () => {
      await (how === 'helm' ? apply(FEWER) : back());
      await soon('it is at rest', isAtRest('False'));
    });
  });
}
