// `make demo-traffic`: a release that gets 5 %, 50 % and 100 % of the requests, and one that is rolled back. Embedded cluster with Pods that serve, a real
// Traefik, a client that counts, the program, a real kubectl.
import { FLAGS, installDefinitions } from '../../data-plane/stage.ts';
import { startTraefik } from '../../data-plane/traefik.ts';
import { lastWords, startCluster } from '../../e2e/harness/cluster.ts';
import { reportAndExit } from '../../e2e/harness/exit.ts';
import { findGatewayApi } from '../../support/gateway-api.ts';
import { beforeEnd, endAll, endAllOnSignals, wasInterrupted } from '../../support/processes.ts';
import { makePrograms } from '../../support/programs.ts';
import { findProxy } from '../../support/proxies.ts';
import { ToolError } from '../../support/tools.ts';
import { paint, pause, say } from '../terminal.ts';
import { invitation } from '../words.ts';
import { Demo, NAMESPACE, SHOW_MS } from './demo.ts';
import { GATEWAY, NAME, rolloutManifest, workloadManifest } from './manifests.ts';

const READY_MS = 1000;

endAllOnSignals();
try {
  await play();
} catch (error) {
  await reportAndExit(error);
}

async function play(): Promise<void> {
  const doing = (text: string): void => say(paint(2, `... ${text}`));
  // Fetched here when missing, before anything is started.
  const programs = await makePrograms();
  const [traefik, gatewayApi] = [await findProxy('traefik'), await findGatewayApi()];
  for (const found of [traefik, gatewayApi])
    if ('missing' in found) throw new ToolError(`The demo needs a real gateway: ${found.missing}.`);
  if ('missing' in traefik || 'missing' in gatewayApi) return;
  const cluster = await startCluster({
    readyMs: READY_MS,
    sandboxFlags: FLAGS,
    prepare: (client) => installDefinitions(client, gatewayApi.definitions),
    chartValues: ['traffic.gatewayAPI.enabled=true'],
    programFlags: ['--gateway-api=true'],
    say: doing,
  });
  doing('starting Traefik');
  const gateway = await startTraefik({
    client: cluster.client,
    namespace: NAMESPACE,
    name: GATEWAY,
    traefik: traefik.program,
  });
  say(`\n${invitation(programs, cluster.client.kubeconfig)}`);
  const demo = new Demo(cluster, programs, gateway.url);
  beforeEnd(() => demo.stop());
  const scenes = scenesOf(demo);
  for (const [index, [title, playScene]] of scenes.entries()) {
    await pause(`Press Enter for step ${index + 1} of ${scenes.length} (Ctrl-C ends everything)`, () =>
      Promise.resolve(),
    );
    say(`\n${paint(1, `${index + 1}. ${title}`)}\n`);
    await playScene().catch((error: unknown) => {
      process.stderr.write(wasInterrupted() ? '' : `\n${lastWords(cluster)}\n`);
      throw error;
    });
  }
  demo.checkNoneFailed();
  await pause('Press Enter to end the embedded cluster and everything else', () => Promise.resolve());
  await endAll();
}

function scenesOf(demo: Demo): readonly (readonly [title: string, play: () => Promise<void>])[] {
  return [
    [
      'ten Pods of v1 serve behind a gateway, and users send requests',
      async () => {
        await demo.kubectl(['apply', '-f', '-'], workloadManifest(NAMESPACE));
        await demo.startClient();
      },
    ],
    [
      'a Rollout sends 5 %, then 50 %, then all requests to a new version',
      async () => {
        await demo.kubectl(['apply', '-f', '-'], rolloutManifest(NAMESPACE));
        await demo.until('the Rollout to be Healthy', ({ status }) => status?.phase === 'Healthy');
      },
    ],
    [
      'v2 gets one Pod of ten, and 5 % of the requests',
      async () => {
        await demo.release('v2');
        await demo.untilPaused(1);
        await demo.kubectl(['tranche', 'status', NAME, '-n', NAMESPACE]);
      },
    ],
    [
      'approved: half of the Pods, and 50 % of the requests',
      async () => {
        await demo.kubectl(['tranche', 'approve', NAME, '-n', NAMESPACE]);
        await demo.untilPaused(2);
      },
    ],
    [
      'approved: all of them, and the route is as its user wrote it',
      async () => {
        await demo.kubectl(['tranche', 'approve', NAME, '-n', NAMESPACE]);
        await demo.until('the end of the release', ({ status }) => status?.phase === 'Healthy');
        await demo.show(SHOW_MS);
        await demo.kubectl(['get', 'httproute', NAME, '-n', NAMESPACE, '-o', 'jsonpath={.spec.rules}{"\\n"}']);
      },
    ],
    [
      'v3 gets 5 % of the requests, and is rolled back',
      async () => {
        await demo.release('v3');
        await demo.untilPaused(1);
        await demo.kubectl(['tranche', 'abort', NAME, '-n', NAMESPACE]);
        await demo.until('the end of the rollback', ({ status }) => status?.phase === 'Healthy');
        await demo.show(SHOW_MS);
      },
    ],
  ];
}
