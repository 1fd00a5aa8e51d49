// `kubectl tranche status`: the tree once, the tree that lives, or one line per change.
import { GROUP } from '../../api/keys.ts';
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import { replicasOf } from '../../engine/batch.ts';
import type { Api } from '../../kube/api.ts';
import type { Run } from '../cli.ts';
import { parseDuration, type Cluster, type Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { isTable, listOf, parseFormat, printData, tidy, type Format } from '../output.ts';
import { appsPath, gather, getRollout, listRollouts, namespaceFlag, rolloutsPath, type Facts } from '../resources.ts';
import { approvalRule, policiesFor } from '../policies.ts';
import { outcomeOf, stateOf } from '../state.ts';
import { table } from '../text.ts';
import { tree } from '../tree.ts';

interface StatusFlags {
  readonly watch?: boolean;
  readonly until?: string;
  readonly timeout?: string;
  readonly output?: string;
}

export function status(flags: StatusFlags, name: string | undefined): Run {
  const format = parseFormat(flags.output);
  const watching = flags.watch === true;
  if (flags.until !== 'done' && flags.until !== 'approval')
    throw usageError(`--until "${flags.until}" is not a choice: write done or approval`);
  if (!watching && (flags.timeout !== undefined || flags.until !== 'done'))
    throw usageError('--timeout and --until go with --watch: add it, or leave them out');
  if (watching && !isTable(format))
    throw usageError('--watch prints for people: leave -o out, or use kubectl get rollout -w -o json');
  const timeoutMs = flags.timeout === undefined ? undefined : parseDuration(flags.timeout, '--timeout');
  return async (context) => {
    const cluster = await context.cluster();
    const rollouts =
      name === undefined ? await listRollouts(cluster, cluster.namespace) : [await getRollout(cluster, name)];
    if (rollouts.length === 0) {
      context.io.err(
        `no Rollouts in namespace "${cluster.namespace}"; make one with: kubectl tranche init DEPLOYMENT\n`,
      );
      return EXIT.done;
    }
    if (!watching) return once(context, cluster, rollouts, format);
    const [only, ...others] = rollouts;
    if (!only || others.length > 0)
      throw usageError(
        `--watch follows one Rollout, and there are ${rollouts.length}: name it, for example: kubectl tranche status ${only?.metadata.name} --watch`,
      );
    return new Watch(context, cluster, only, {
      timeoutMs,
      untilApproval: flags.until === 'approval',
      wide: format === 'wide',
    }).run();
  };
}

async function once(context: Context, cluster: Cluster, rollouts: readonly Rollout[], format: Format): Promise<number> {
  if (!isTable(format)) {
    const tidied = rollouts.map((rollout) => tidy(rollout));
    const names = rollouts.map(({ metadata }) => `rollout.${GROUP}/${metadata.name}`);
    await printData(context, format, tidied.length === 1 ? tidied[0] : listOf(tidied), names);
    return EXIT.done;
  }
  const trees: string[] = [];
  for (const rollout of rollouts) {
    const facts = await gather(cluster, rollout, context.io.now());
    trees.push(await withAdvice(context, cluster, facts, format === 'wide'));
  }
  context.io.out(trees.join('\n'));
  return EXIT.done;
}

/** The tree, and what its reader can do now. */
async function withAdvice(context: Context, cluster: Cluster, facts: Facts, wide: boolean): Promise<string> {
  const { rollout, deployment } = facts;
  const text = tree(facts, { paint: context.paint, now: context.io.now(), wide });
  const name = `${rollout.metadata.name}${namespaceFlag(rollout)}`;
  const state = stateOf(rollout, deployment);
  if (state === 'Waiting') {
    const may = await mayApprove(cluster.api, rollout);
    const who =
      may === undefined
        ? ''
        : may
          ? ' (you may)'
          : ' (you may not: it needs the verb "approve" on rollouts, see ClusterRole tranche-approver)';
    const rule = approvalRule((await policiesFor(cluster, rollout, deployment)) ?? []);
    const needs = rule === undefined ? '' : `  approved by ${rule}\n`;
    return `${text}${needs}  go on: kubectl tranche approve ${name}${who}   give up: kubectl tranche abort ${name}\n`;
  }
  if (state === 'Paused') return `${text}  go on: kubectl tranche resume ${name}\n`;
  if (state === 'Stalled' && rollout.status?.phase === 'Progressing')
    return `${text}  try again: kubectl tranche retry ${name}   give up: kubectl tranche abort ${name}\n`;
  return text;
}

async function mayApprove(api: Api, rollout: Rollout): Promise<boolean | undefined> {
  const { name, namespace } = rollout.metadata;
  const resourceAttributes = { group: GROUP, resource: 'rollouts', verb: 'approve', name, namespace };
  try {
    const answer = (await api.request({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
    })) as { status?: { allowed?: boolean } };
    return answer.status?.allowed === true;
  } catch {
    return undefined;
  }
}

interface WatchOptions {
  readonly timeoutMs: number | undefined;
  readonly untilApproval: boolean;
  readonly wide: boolean;
}

/** How often a picture is drawn although nothing happened: ages grow. */
const REDRAW_MS = 1000;

/** Follows a release to its end by two watches; Pods are read again when the Deployment has changed. */
class Watch {
  private readonly context: Context;
  private readonly cluster: Cluster;
  private readonly first: Rollout;
  private readonly options: WatchOptions;
  private lastLine = '';
  private drawn = 0;
  private wake: () => void = () => undefined;

  constructor(context: Context, cluster: Cluster, first: Rollout, options: WatchOptions) {
    this.context = context;
    this.cluster = cluster;
    this.first = first;
    this.options = options;
  }

  async run(): Promise<number> {
    const { Reflector } = await import('../../kube/reflector.ts');
    const { realClock } = await import('../../kube/clock.ts');
    const { name, namespace } = this.first.metadata;
    const reflect = <T extends KubeObject>(path: string, of: string): InstanceType<typeof Reflector<T>> =>
      new Reflector<T>({ api: this.cluster.api, clock: realClock, path, fieldSelector: `metadata.name=${of}` });
    const rollouts = reflect<Rollout>(rolloutsPath(namespace), name);
    const deployments = reflect<Deployment>(appsPath('deployments', namespace), this.first.spec.workloadRef.name);
    const { io } = this.context;
    const wake = (): void => this.wake();
    io.signal.addEventListener('abort', wake);
    for (const reflector of [rollouts, deployments]) {
      reflector.on(wake);
      reflector.start();
    }
    void Promise.all([rollouts.whenSynced(), deployments.whenSynced()]).then(wake);
    const deadline = this.options.timeoutMs === undefined ? undefined : io.now() + this.options.timeoutMs;
    try {
      for (;;) {
        if (io.signal.aborted) return EXIT.failed;
        const synced = rollouts.synced && deployments.synced;
        if (synced) {
          const [rollout] = rollouts.store.values();
          const [deployment] = deployments.store.values();
          if (!rollout) throw new CliError(`Rollout "${name}" was deleted while it was watched`);
          const end = await this.look(rollout, deployment);
          if (end !== undefined) return end;
        }
        if (deadline !== undefined && io.now() >= deadline) {
          const why = synced
            ? this.message(rollouts.store.values())
            : (rollouts.problem ?? deployments.problem ?? 'the cluster has not answered');
          io.err(`error: not over after ${(this.options.timeoutMs ?? 0) / 1000} s: ${why}\n`);
          return EXIT.timedOut;
        }
        await this.sleep(deadline);
      }
    } finally {
      io.signal.removeEventListener('abort', wake);
      await Promise.all([rollouts.stop(), deployments.stop()]);
    }
  }

  private message(rollouts: Iterable<Rollout>): string {
    const [rollout] = rollouts;
    return rollout?.status?.message ?? 'no status yet';
  }

  /** Until something changes, the deadline, or the next picture. */
  private sleep(deadline: number | undefined): Promise<void> {
    const { io } = this.context;
    const most = io.terminal ? REDRAW_MS : 60_000;
    const ms = deadline === undefined ? most : Math.max(0, Math.min(most, deadline - io.now()));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Shows what is new; the exit code when it is over. */
  private async look(rollout: Rollout, deployment: Deployment | undefined): Promise<number | undefined> {
    const { context, cluster } = this;
    if (context.io.terminal) {
      const facts = deployment
        ? await gather(cluster, rollout, context.io.now())
        : { rollout, deployment, view: undefined, pods: [] };
      this.draw(tree(facts, { paint: context.paint, now: context.io.now(), wide: this.options.wide }));
    } else this.line(rollout, deployment);
    const outcome = outcomeOf(rollout, deployment);
    const state = stateOf(rollout, deployment);
    if (outcome === 'failed') return this.end(`failed: ${rollout.status?.message}`, EXIT.failed);
    if (outcome === 'succeeded') return this.end('done', EXIT.done);
    if (this.options.untilApproval && state === 'Waiting' && waitsForApproval(rollout))
      return this.end('waits for approval', EXIT.done);
    return undefined;
  }

  private end(text: string, code: number): number {
    this.context.io.err(`${this.first.metadata.name}: ${text}\n`);
    return code;
  }

  private line(rollout: Rollout, deployment: Deployment | undefined): void {
    const { io } = this.context;
    const updated = rollout.status?.canaryStatus?.canaryReplicas ?? 0;
    const of = deployment ? replicasOf(deployment) : '?';
    const state = stateOf(rollout, deployment);
    const message =
      state === 'Starting'
        ? 'the change is held; the operator has not reported it yet'
        : (rollout.status?.message ?? '');
    const line = table([[state.padEnd(11), `${updated}/${of}`.padEnd(7), message]]);
    if (line === this.lastLine) return;
    this.lastLine = line;
    io.out(`${new Date(io.now()).toISOString().slice(11, 19)}   ${line}`);
  }

  /** Over the picture before, and no longer than the terminal is high. */
  private draw(picture: string): void {
    const { io } = this.context;
    const lines = picture
      .split('\n')
      .slice(0, -1)
      .slice(0, Math.max(1, io.rows - 1));
    const back = this.drawn > 0 ? `\x1b[${this.drawn}A` : '';
    io.out(`${back}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.drawn = lines.length;
  }
}

function waitsForApproval({ spec, status }: Rollout): boolean {
  const step = spec.strategy.canary?.steps?.[(status?.canaryStatus?.currentStepIndex ?? 0) - 1];
  return step?.pause?.duration === undefined || step.pause.duration === null;
}
