// `make run`: runs the program outside the cluster with the token of the chart's ServiceAccount: with the rights that it has in the
// cluster and no others, and as the user that the chart's admission policies know.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { imageEnv, imageFlags } from '../support/image.ts';
import { inVariables } from '../support/make.ts';
import { endAll, temporaryFolder } from '../support/processes.ts';
import { Client } from './harness/client.ts';
import { checkReachable, InputError, operatorKubeconfig, readTarget } from './harness/cluster.ts';
import { reportAndExit } from './harness/exit.ts';

try {
  const { kubeconfig, webhookUrl, namespace } = readTarget('run');
  const home = temporaryFolder('run');
  const client = new Client(kubeconfig, home);
  await checkReachable(client);
  const own = await operatorKubeconfig(client, home, namespace).catch((error: Error) => {
    throw new InputError(
      `${error.message}\nNo token of the chart's ServiceAccount can be had: \`make install\` comes first.`,
    );
  });
  const args = ['--kubeconfig', own, '--webhook-url', webhookUrl, '--namespace', namespace, ...process.argv.slice(2)];
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  // As in the image, so that it behaves in the same way, also in memory.
  const child = spawn(process.execPath, [...imageFlags(), main, ...args], {
    stdio: ['inherit', 'inherit', 'pipe'],
    env: { ...process.env, ...imageEnv() },
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => process.stderr.write(inVariables(text)));
  // A Ctrl-C in the terminal reaches the program by itself; to be told twice would end it the hard way.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.once('close', (code) => void endAll().finally(() => process.exit(code ?? 1)));
} catch (error) {
  await reportAndExit(error);
}
