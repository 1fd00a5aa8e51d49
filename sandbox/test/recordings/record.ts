// Plays scenarios on the cluster of a kubeconfig. Writes the recordings, or compares with --check:
//   node test/recordings/record.ts --kubeconfig FILE [--check] [NAME...]
import { readFile, writeFile } from 'node:fs/promises';
import { Agent, request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { parse } from 'yaml';
import { ApiError, type KubeObject } from '../../src/core/types.ts';
import { play, type Recording, type Target } from './run.ts';
import { scenarios } from './scenarios.ts';

interface Kubeconfig {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kubeconfig: { type: 'string' }, check: { type: 'boolean' } },
});
if (!values.kubeconfig) throw new Error('--kubeconfig FILE is required');
const config = parse(await readFile(values.kubeconfig, 'utf8')) as Kubeconfig;
const [{ cluster }] = config.clusters;
const [{ user }] = config.users;
const decoded = (text: string): Buffer => Buffer.from(text, 'base64');
const agent = new Agent({
  keepAlive: true,
  ca: decoded(cluster['certificate-authority-data']),
  cert: decoded(user['client-certificate-data']),
  key: decoded(user['client-key-data']),
});

const open = (path: string, { headers, ...options }: RequestOptions, body?: object): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const text = body ? JSON.stringify(body) : '';
    const framed = { ...headers, 'content-length': Buffer.byteLength(text) };
    request(cluster.server + path, { agent, headers: framed, ...options }, resolve)
      .on('error', reject)
      .end(text);
  });

const target: Target = {
  async request(method, path, { type = 'application/json', body } = {}) {
    const answer = await open(path, { method, headers: { 'content-type': type } }, body);
    let text = '';
    for await (const part of answer.setEncoding('utf8')) text += part as string;
    const object = JSON.parse(text) as KubeObject;
    if (answer.statusCode! >= 400) throw new ApiError(object as unknown as ConstructorParameters<typeof ApiError>[0]);
    return object;
  },
  async watchPods(namespace, listener) {
    const answer = await open(`/api/v1/namespaces/${namespace}/pods?watch=1`, { method: 'GET' });
    let rest = '';
    answer.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const { type, object } = JSON.parse(line) as { type: string; object: KubeObject };
        listener(type, object);
      }
    });
    answer.on('error', () => undefined);
    return () => answer.destroy();
  },
  pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

const compare = (name: string, played: Recording, recorded: Recording): void => {
  const isSame = isDeepStrictEqual(played, recorded);
  process.stdout.write(`${isSame ? 'same   ' : 'DIFFERS'} ${name}\n`);
  if (isSame) return;
  process.exitCode = 1;
  const step = played.outcomes.findIndex((outcome, i) => !isDeepStrictEqual(outcome, recorded.outcomes[i]));
  const of = ({ outcomes, events }: Recording): string => JSON.stringify(step < 0 ? events : outcomes[step], null, 2);
  process.stdout.write(`played: ${of(played)}\nrecorded: ${of(recorded)}\n`);
};

for (const scenario of scenarios) {
  if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
  const namespace = `rec-${Date.now().toString(36)}`;
  const recording = await play(target, scenario, namespace);
  const file = new URL(`${scenario.name}.json`, import.meta.url);
  if (values.check) compare(scenario.name, recording, JSON.parse(await readFile(file, 'utf8')) as Recording);
  else await writeFile(file, `${JSON.stringify(recording, null, 2)}\n`);
}
agent.destroy();
