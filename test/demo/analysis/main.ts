// `make demo-analysis`: releases that look at their own numbers. Embedded cluster with Pods that serve, requests to them, a real Prometheus where there
// is one, the program, a real kubectl.
import { InputError, lastWords, startCluster } from '../../e2e/harness/cluster.ts';
import { reportAndExit } from '../../e2e/harness/exit.ts';
import { beforeEnd, endAll, endAllOnSignals, wasInterrupted } from '../../support/processes.ts';
import { makePrograms } from '../../support/programs.ts';
import { findPrometheus, startScraping } from '../../support/prometheus.ts';
import { paint, pause, say } from '../terminal.ts';
import { invitation } from '../words.ts';
import { SCENES, type Seen } from './scenes.ts';
import { makeStage, SANDBOX_FLAGS } from './stage.ts';

const NAMESPACE = 'default';
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
  const found = await prometheusOrWhyNot();
  const cluster = await startCluster({
    readyMs: READY_MS,
    sandboxFlags: SANDBOX_FLAGS,
    say: doing,
  });
  let prometheus: string | undefined;
  if ('missing' in found) doing(`the checks read metrics.k8s.io: ${found.missing}`);
  else {
    doing('starting Prometheus');
    const server = await startScraping(found, { kubeconfig: cluster.client.kubeconfig });
    beforeEnd(() => server.stop());
    prometheus = server.url.href;
  }
  say(`\n${invitation(programs, cluster.client.kubeconfig)}`);
  const stage = await makeStage({
    client: cluster.client,
    namespace: NAMESPACE,
    programs,
    prometheus,
    say: (text) => say(paint(33, text)),
    onCommand: (typed) => say(`${paint(36, '$')} ${typed}`),
    onOutput: (text) => void process.stdout.write(text),
    onLook: teller(),
  });
  for (const [index, { title, play }] of SCENES.entries()) {
    const look = (): Promise<Seen> => stage.look();
    await pause(`Press Enter for step ${index + 1} of ${SCENES.length} (Ctrl-C ends everything)`, look);
    say(`\n${paint(1, `${index + 1}. ${title}`)}\n`);
    await play(stage).catch((error: unknown) => {
      process.stderr.write(wasInterrupted() ? '' : `\n${lastWords(cluster)}\n`);
      throw error;
    });
  }
  await pause('Press Enter to end the embedded cluster and everything else', () => stage.look());
  await endAll();
}

async function prometheusOrWhyNot(): ReturnType<typeof findPrometheus> {
  const wanted = process.env['SOURCE'] || 'prometheus';
  if (wanted === 'kubernetes') return { missing: 'SOURCE=kubernetes' };
  if (wanted === 'prometheus') return findPrometheus();
  throw new InputError(`SOURCE is ${wanted}: write prometheus or kubernetes.`);
}

/** Says what there is, whenever it is something else. */
function teller(): (seen: Seen) => void {
  const begun = Date.now();
  let last = '';
  return ({ pods, rollout }) => {
    const counts = Object.entries(pods).map(([version, count]) => `${count} of ${version}`);
    const checks = rollout?.status?.canaryStatus?.analysis?.map(({ name, verdict }) => `${name} is ${verdict}`) ?? [];
    const said = [rollout?.status?.message, ...checks].filter((text) => text !== undefined && text !== '');
    const news = `${counts.join(', ') || 'no Ready Pods'}. ${said.join('; ')}`.trimEnd();
    if (news !== last) say(`  ${paint(2, `${Math.round((Date.now() - begun) / 1000)} s`)}  ${news}`);
    last = news;
  };
}
