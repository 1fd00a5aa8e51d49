// The report of a run: docs/reports/reliability.md and the figures behind it, written by the tool itself.
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import prettier from 'prettier';
import { VERSION } from '@tranche/sandbox/cluster';
import type { Outcome } from './play.ts';

export interface Report {
  readonly date: string;
  readonly seed: number;
  readonly seconds: number;
  readonly lanes: number;
  readonly machine: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly outcomes: readonly Outcome[];
  /** Only so many of each fault's variants were played (RUNS=n). */
  readonly runs?: number;
}

export function reportOf(
  outcomes: readonly Outcome[],
  seed: number,
  seconds: number,
  lanes: number,
  runs?: number,
): Report {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const cpus = os.cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    seed,
    seconds: Math.round(seconds),
    lanes,
    machine: `${os.availableParallelism()} cores (${cpus[0]?.model ?? 'unknown'}), ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}`,
    versions: { tranche: version, node: process.version, 'embedded cluster': VERSION.gitVersion },
    outcomes,
    ...(runs && { runs }),
  };
}

export const isGood = ({ outcomes }: Report): boolean =>
  outcomes.every(({ failures, violations }) => failures.length + violations.length === 0);

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

const tenth = (seconds: number): string => seconds.toFixed(1);

export function tableOf({ outcomes }: Report): string {
  const lines = outcomes.map(({ fault, title, strikes, recovered, failures, violations }) => {
    const times = recovered.length > 0 ? [tenth(median(recovered)), tenth(Math.max(...recovered))] : ['–', '–'];
    return `| \`${fault}\`: ${title} | ${strikes} | ${times.join(' | ')} | ${failures.length} | ${violations.length} |`;
  });
  return [
    '| fault | runs | recovered after, median (s) | max (s) | did not recover | violations |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...lines,
  ].join('\n');
}

/** What went wrong, with the seed that shows it again. */
export function troublesOf({ outcomes }: Report): string {
  const lines = outcomes.flatMap(({ fault, seed, failures, violations }) =>
    [...failures, ...violations].map(
      (what) => `- \`make chaos ONLY=${fault} SEED=${seed}\`: ${what.split('\n', 1)[0]}`,
    ),
  );
  return lines.length > 0 ? lines.join('\n') : 'None.';
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function lastReport(report: Report): string {
  const { date, machine, versions, seconds, seed, lanes, outcomes } = report;
  const judged = sum(outcomes.map((outcome) => outcome.judged));
  const [done, refused] = [
    sum(outcomes.map(({ client }) => client.done)),
    sum(outcomes.map(({ client }) => client.refused)),
  ];
  return `\
${date}, seed ${seed}, ${Math.round(seconds / 60)} minutes with ${lanes} faults side by side, on ${machine}.
${Object.entries(versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(
    ', ',
  )}.${report.runs ? ` A short run (\`RUNS=${report.runs}\`): only the first of each fault's variants, so for the network one second.` : ''}

${tableOf(report)}

The observer judged ${judged} changes; a client did ${done} things meanwhile and was refused ${refused}.

What went wrong:

${troublesOf(report)}`;
}

export function markdownOf(report: Report): string {
  const { outcomes } = report;
  return `\
<!-- Written by \`make chaos\` (tools/chaos/report.ts): change it there. -->

# Reliability

\`make chaos\` breaks things around real processes of the program, over real sockets, and watches whether releases go on and end right.
This page is its last report; \`make chaos\` writes it anew, and fails when there is a violation or a release that did not go on. The figures
behind it are in [reliability.json](reliability.json).

## Last report

${outcomes.length > 0 ? lastReport(report) : 'None yet: `make chaos` writes it here.'}

## How to make it

\`\`\`sh
make chaos                                    # everything; how long it took is above
make chaos ONLY=leader-killed                 # one fault, or several: ONLY=a,b
make chaos ONLY=everything RUNS=10 SEED=42    # so many runs, from this seed
\`\`\`

A run prints its seed. The same seed gives the same choices of the client and of chance; what processes and timers make of them differs from run to
run. \`make test\` plays a short form of it, without the client.

## What is played

The embedded cluster's API server is a process that keeps everything in a journal, so that it can be killed and started again as a real one
in front of etcd. The program runs as it does in a cluster, with the chart's rights and the token of its service account, one to three
replicas behind the chart's Service. \`tranche certificates\` runs with the token of its own service account: at install, and after a fault that it has
to mend, as somebody does who starts a Job of its CronJob. Each replica has the Secret as files, which change 1 to 1.5 s after the Secret.
Between each replica and the API server, and between the API server and the webhooks, is a proxy
of ours: it refuses connections, resets them, or loses every packet for a while (connections outlive that, as they do in TCP). It also counts each
replica's calls, makes answers late, and kills the replica before a call is sent on or before its answer is heard.

In most runs a release is in the middle of a batch when the harm is done, and a client edits, approves, scales, rolls back, breaks images,
pauses and disables on two other Deployments all the time; where that is not so, the fault takes away what such a client needs. In the end all must be
released, and each Deployment as its user wrote it.

**Runs** are harms done. **Recovered after** is the time from the moment nothing is broken from outside any more (a killed leader is not
replaced by anybody from outside: there it is the kill) until the release had gone on: the batch under way was done (for \`operator-killed-at-calls\` and
\`full-queue\`, the whole release), or, where admission was broken, an edit was taken. It contains the time that the Pods need, 0.1 s
each here. A lease lasts 15 s, and a standby asks for it every two to three seconds: so long it takes when a leader dies without a word.
**Violations** are counted by [an observer](../../tools/chaos/judge.ts) that shares no code with the program. It watches every change of Deployments,
ReplicaSets, Pods and Rollouts, and judges I1 to I6 of [holding.md](../holding.md) after each.

## What this does not show

- The API server is the embedded one, not kube-apiserver; its controllers and kubelet die with it, where real ones would live on.
- Loss of single packets, slow disks, and a clock of the API server that is wrong are not played. A certificate is checked by OpenSSL with the machine's own
  clock, whatever a replica's clock says.
- A real kubelet looks for a new Secret once in 60 to 90 s. Where a fault makes a new CA necessary, changes that need an answer are refused for so
  long ([operations.md](../operations.md#certificates)). Nobody may start the Job by hand: then it runs within a day.
- A connection that is dead for good without either end being told (a firewall that forgets) is found in the field by TCP keepalive, after some 40
  s. The proxies here answer keepalive themselves, so that is not played.
- I2 and I3 are not judged within half a second after a webhook has paused a Deployment that was moving (holding.md says why), within three seconds after it
  was scaled, while the webhook configurations are deleted and for ten seconds after that, and for changes that came while the observer itself
  had lost the API server. I6 is judged when a Deployment has been held for 40 s, with nothing broken from outside, without a Rollout that says so.
`;
}

/** Formatted as everything here is. */
export async function write(report: Report): Promise<void> {
  for (const [name, text, parser] of [
    ['reliability.md', markdownOf(report), 'markdown'],
    ['reliability.json', JSON.stringify(report), 'json'],
  ] as const) {
    const file = fileURLToPath(new URL(`../../docs/reports/${name}`, import.meta.url));
    writeFileSync(file, await prettier.format(text, { ...(await prettier.resolveConfig(file)), parser }));
  }
}
