// The source of metrics for measurements of the operator: answers query_range about the Pods of the cluster, in a process of its own.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { answerText, type Sampled } from '../analysis/pods.ts';
import { tally, type Question } from './requests.ts';
import { serve } from './rpc.ts';

/** A Pod that was created or has been deleted. */
export interface PodTold extends Sampled {
  /** Namespace and name of the workload. */
  readonly workload: string;
}

const pods = new Map<string, Map<string, Sampled>>();
const questions: Question[] = [];

/** The program refuses addresses of its own machine, so that this is one of the network. */
function hostOf(): string {
  const found = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal);
  if (!found)
    throw new Error('this machine has no network address, and the program asks no source on the loopback one');
  return found.address;
}

function answer(form: URLSearchParams): string {
  const ms = (name: string): number => Math.round(Number(form.get(name)) * 1000);
  const query = form.get('query') ?? '';
  const [startMs, endMs, stepMs] = [ms('start'), ms('end'), ms('step')];
  const namespace = /namespace="([^"]*)"/.exec(query)?.[1];
  const workload = /pod=~"(.*?)-\.\+"/.exec(query)?.[1];
  const release = `${namespace}/${workload}`;
  questions.push({ release, query, startMs, endMs, stepMs });
  const which = query.includes('code=~') ? 'bad' : 'total';
  return answerText(which, pods.get(release)?.values() ?? [], startMs, endMs, stepMs);
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.url !== '/api/v1/query_range') return void response.writeHead(404).end();
    response.end(answer(new URLSearchParams(Buffer.concat(chunks).toString())));
  });
});

serve({
  /** Returns the address of the source. */
  start: () =>
    new Promise<string>((resolve, reject) => {
      server.on('error', reject);
      const host = hostOf();
      server.listen(0, host, () => resolve(`http://${host}:${(server.address() as AddressInfo).port}`));
    }),
  told(all: readonly PodTold[]) {
    for (const { workload, ...pod } of all) {
      const of = pods.get(workload) ?? new Map<string, Sampled>();
      pods.set(workload, of.set(pod.name, pod));
    }
  },
  asked: () => questions.length,
  tally: (checks: number) => tally(questions, checks),
});
