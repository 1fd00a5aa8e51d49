// `kubectl tranche status`: the tree once, the tree that lives, or one line per change.
import { GROUP, ROLLOUT_RESOURCE } from '../../api/keys.ts';
import type { Rollout } from '../../api/types.ts';
import { namespaceFlag } from '../../engine/lib/text.ts';
import type { Api } from '../../kube/api.ts';
import type { Run } from '../cli.ts';
import { parseTimeout, type Cluster, type Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';
import { isTable, listOf, parseFormat, printData, rolloutName, tidy, type Format } from '../output.ts';
import { gather, getRollout, listRollouts, type Facts } from '../resources.ts';
import { approvalRule, approvalsSoFar, policiesFor } from '../policies.ts';
import { stateOf } from '../state.ts';
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
  const timeout = parseTimeout(flags.timeout);
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
    const { watchRelease } = await import('./status-watch.ts');
    return watchRelease(context, cluster, only, { timeout, untilApproval: flags.until === 'approval', format });
  };
}

async function once(context: Context, cluster: Cluster, rollouts: readonly Rollout[], format: Format): Promise<number> {
  if (!isTable(format)) {
    const tidied = rollouts.map((rollout) => tidy(rollout));
    await printData(context, format, tidied.length === 1 ? tidied[0] : listOf(tidied), rollouts.map(rolloutName));
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

async function withAdvice(context: Context, cluster: Cluster, facts: Facts, wide: boolean): Promise<string> {
  return tree(facts, { paint: context.paint, now: context.io.now(), wide }) + (await adviceFor(cluster, facts));
}

/** What the reader of the tree can do now: lines to stand below it. */
export async function adviceFor(cluster: Cluster, { rollout, deployment, view }: Facts): Promise<string> {
  const name = `${rollout.metadata.name}${namespaceFlag(rollout)}`;
  const state = stateOf(rollout, deployment);
  const giveUp =
    view !== undefined && view.stableSet === undefined
      ? 'apply the manifest of the version before, which no ReplicaSet keeps any more'
      : `kubectl tranche abort ${name}`;
  if (state === 'Waiting') {
    const may = await mayApprove(cluster.api, rollout);
    const who =
      may === undefined
        ? ''
        : may
          ? ' (you may)'
          : ` (you may not: it needs the verb "approve" on ${ROLLOUT_RESOURCE}, see ClusterRole tranche-approver)`;
    const policies = (await policiesFor(cluster, rollout, deployment)) ?? [];
    const rule = approvalRule(policies);
    const needs = `${rule === undefined ? '' : `  approved by ${rule}\n`}${approvalsSoFar(rollout, policies, deployment)}`;
    return `${needs}  go on: kubectl tranche approve ${name}${who}\n  give up: ${giveUp}\n`;
  }
  if (state === 'Paused') return `  go on: kubectl tranche resume ${name}\n`;
  if (state === 'Stalled' && rollout.status?.phase === 'Progressing')
    return `  try again: kubectl tranche retry ${name}\n  give up: ${giveUp}\n`;
  return '';
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
