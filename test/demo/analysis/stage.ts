// Where the demo of the analysis is played: requests to the Service, kubectl, and looks at the objects.
import type { Deployment, KubeObject, Rollout } from '../../../src/api/types.ts';
import { DEPLOYMENTS, PODS, ROLLOUTS } from '../../../src/api/resources.ts';
import { createApi } from '../../../src/kube/client.ts';
import { connect } from '../../../src/kube/connection.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { CommandError, asTyped, type Client } from '../../e2e/harness/client.ts';
import { Load } from '../../support/load.ts';
import { beforeEnd } from '../../support/processes.ts';
import { NAME } from './manifests.ts';
import type { Seen, Stage } from './scenes.ts';

/** Flags of the embedded cluster. */
export const SANDBOX_FLAGS = ['--serve', '--metrics-api'];

const REQUESTS_PER_SECOND = 120;

export interface StageOptions {
  readonly client: Client;
  readonly namespace: string;
  /** Folder with kubectl and its plugin. */
  readonly programs: string;
  readonly prometheus: string | undefined;
  readonly say: (text: string) => void;
  /** Told each command before it runs, and what it has printed. */
  readonly onCommand?: (typed: string) => void;
  readonly onOutput?: (text: string) => void;
  readonly onLook?: (seen: Seen) => void;
}

export async function makeStage(options: StageOptions): Promise<Stage> {
  const { client, namespace, programs, prometheus, say } = options;
  const connection = await connect({ type: 'kubeconfig', files: [client.kubeconfig] });
  const api = createApi({ connection, userAgent: 'demo', fieldManager: 'demo' });
  let load: Load | undefined;
  beforeEnd(async () => {
    await load?.stop();
    api.close();
  });
  return {
    namespace,
    prometheus,
    say,
    async kubectl(args, input) {
      const typed = asTyped('kubectl', args, input);
      options.onCommand?.(typed);
      const env = { PATH: `${programs}:${process.env.PATH}` };
      const result = await client.attempt('kubectl', args, { input, env });
      options.onOutput?.(result.stderr + result.stdout);
      if (result.code !== 0) throw new CommandError(typed, result);
      return result.stdout;
    },
    async look() {
      const named = { namespace, name: NAME };
      const [deployment, rollout, all] = await Promise.all([
        client.look<Deployment>(pathOf(DEPLOYMENTS, named)),
        client.look<Rollout>(pathOf(ROLLOUTS, named)),
        client.look<{ readonly items: readonly DemoPod[] }>(pathOf(PODS, { namespace })),
      ]);
      const seen = { deployment, rollout, pods: readyPods(all?.items ?? []) };
      options.onLook?.(seen);
      return seen;
    },
    async startLoad() {
      load = await Load.start({ api, namespace, service: NAME, perSecond: REQUESTS_PER_SECOND });
      say(`– users send ${REQUESTS_PER_SECOND} requests a second to the Service`);
    },
    counted: () => load!.counted,
  };
}

interface DemoPod extends KubeObject {
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

function readyPods(pods: readonly DemoPod[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { metadata, spec, status } of pods) {
    const isReady = status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True');
    if (metadata.deletionTimestamp !== undefined || !isReady) continue;
    const version = spec.containers[0]?.image.split(':')[1] ?? '';
    counts[version] = (counts[version] ?? 0) + 1;
  }
  return counts;
}
