// `kubectl tranche plan`: the release before it happens, from the cluster, from files, or from both.
import type { Deployment, PodTemplate, Rollout } from '../../api/types.ts';
import { MAX_PODS, replicasOf } from '../../engine/lib/replicas.ts';
import { deploymentTemplate, sameTemplate } from '../../engine/lib/template.ts';
import { namespaceFlag, plural, pods } from '../../engine/lib/text.ts';
import { experienceOf, planRelease, type Plan } from '../../engine/steps/plan.ts';
import { validateRollout } from '../../engine/validate/rollout.ts';
import { sentence } from '../../engine/validate/violation.ts';
import { readHeld } from '../../engine/workload/deployment/hold.ts';
import type { Cluster } from '../cluster.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { OUTPUT } from '../flags.ts';
import { isTable, parseFormat, printData, rolloutName } from '../output.ts';
import { gather, getDeployment, getRollout } from '../resources.ts';
import { describeWait, duration, table } from '../text.ts';

interface PlanFlags {
  readonly filename?: readonly string[];
  readonly replicas?: string;
  readonly output?: string;
}

interface Subject {
  readonly rollout: Rollout;
  /** As it will be. */
  readonly deployment: Deployment;
  /** As it is; undefined without a cluster. */
  readonly live: Deployment | undefined;
}

export const plan = defineCommand({
  name: 'plan',
  summary: 'what each step will do, in exact Pods',
  description:
    'Says what each step of the next release will do: Pods of the new and of the old version, surge and unavailable Pods at worst, where it waits, ' +
    'and how long the last releases took. Computed by the engine that releases. With -f also for a changed Deployment, and without a cluster ' +
    'when both a Rollout and its Deployment are in the files.',
  arguments: [['[rollout]', 'its name, or deployment/NAME; not needed when -f brings the Rollout']],
  options: [
    [
      '-f, --filename <file>',
      'a YAML or JSON file with a new Deployment, a Rollout, or both; "-" is standard input; may be repeated',
      { repeated: true },
    ],
    ['--replicas <number>', 'at another size'],
    OUTPUT,
  ],
  examples: [
    'kubectl tranche plan web --replicas 40',
    'kubectl tranche plan web -f new-deployment.yaml',
    'kubectl tranche plan -f rollout.yaml -f deployment.yaml   # no cluster, for a pull request',
  ],
  run: showPlan,
});

async function showPlan(context: Context, flags: PlanFlags, name: string | undefined): Promise<number> {
  const format = parseFormat(flags.output);
  if (flags.replicas !== undefined && !/^[1-9]\d{0,5}$/.test(flags.replicas))
    throw usageError(`--replicas "${flags.replicas}" is not a size: write a number from 1`);
  const subject = await subjectOf(context, flags.filename ?? [], name);
  const { replicas = 1 } = subject.deployment.spec;
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > MAX_PODS)
    throw usageError(
      `Deployment ${subject.deployment.metadata.name}: spec.replicas: Invalid value: ${JSON.stringify(replicas)}: ` +
        `must be between 0 and ${MAX_PODS}; write the number of Pods`,
    );
  const size = flags.replicas === undefined ? replicasOf(subject.deployment) : Number(flags.replicas);
  const planned = planRelease(subject.rollout, subject.deployment, size);
  const experience = experienceOf(subject.rollout.status?.history);
  const notes = [...(await notesOf(subject, planned)), ...(await policyNotesOf(context, subject, size))];
  const data = { ...planned, ...(experience ? { experience } : {}), notes };
  if (isTable(format)) print(context, subject, planned, notes, format === 'wide');
  else await printData(context, format, data, [rolloutName(subject.rollout)]);
  return EXIT.done;
}

async function subjectOf(context: Context, files: readonly string[], name: string | undefined): Promise<Subject> {
  const given = await fromFiles(context, files);
  if (given.rollout && name !== undefined && given.rollout.metadata.name !== name)
    throw usageError(
      `the files bring Rollout "${given.rollout.metadata.name}", and "${name}" was asked for: leave one of them out`,
    );
  if (given.rollout && given.deployment)
    return { rollout: given.rollout, deployment: given.deployment, live: undefined };
  if (!given.rollout && name === undefined && !given.deployment)
    throw usageError('which Rollout? Write its name, or -f with a file that has one');
  const cluster = await context.cluster();
  const rollout = given.rollout ?? (await getRollout(cluster, name ?? `deployment/${given.deployment!.metadata.name}`));
  const live = await getDeployment(cluster, rollout.spec.workloadRef.name, rollout.metadata.namespace);
  if (!given.deployment) return { rollout, deployment: live, live };
  const next = merged(live, given.deployment);
  const template = await keptTemplate(context, cluster, rollout, live, next);
  return { rollout, deployment: { ...next, spec: { ...next.spec, template } }, live };
}

/** The template as the cluster has it already, with its defaults, where it is one that it has; else as it was written. */
async function keptTemplate(
  context: Context,
  cluster: Cluster,
  rollout: Rollout,
  live: Deployment,
  next: Deployment,
): Promise<PodTemplate> {
  const { isWritten } = await import('../files/defaults.ts');
  const { view } = await gather(cluster, rollout, context.io.now());
  const kept = (view?.oldSets ?? []).map(({ spec }) => deploymentTemplate(spec.template));
  return [live.spec.template, ...kept].find((one) => isWritten(next.spec.template, one)) ?? next.spec.template;
}

async function fromFiles(
  context: Context,
  files: readonly string[],
): Promise<{ rollout?: Rollout; deployment?: Deployment }> {
  if (files.length === 0) return {};
  const { readAll } = await import('../files/read.ts');
  const { asDeployment, asRollout, releases } = await import('../files/objects.ts');
  const objects = await readAll(context.io, files);
  const rollouts = objects.map(asRollout).filter((found) => found !== undefined);
  const deployments = objects.map(asDeployment).filter((found) => found !== undefined);
  if (rollouts.length > 1) throw usageError(`the files bring ${rollouts.length} Rollouts: plan one at a time`);
  const [found] = rollouts;
  if (!found) {
    if (deployments.length > 1)
      throw usageError(`the files bring ${deployments.length} Deployments and no Rollout: plan one at a time`);
    const [deployment] = deployments;
    if (!deployment) throw usageError(`there is neither a Rollout nor a Deployment in ${files.join(', ')}`);
    return { deployment };
  }
  const { rollout, violations: shape } = found.shape;
  const violations = rollout ? validateRollout({ rollout, version: found.version }).violations : shape;
  if (!rollout || violations.length > 0)
    throw new CliError(
      `the Rollout would be refused: ${violations.map(sentence).join('; ')}; see kubectl tranche lint`,
    );
  const deployment = deployments.find((one) => releases(rollout, one));
  return { rollout, ...(deployment ? { deployment } : {}) };
}

/** As an apply leaves it, near enough for a plan: what the file does not say stays as it is. */
function merged(live: Deployment, next: Deployment): Deployment {
  const settings = readHeld(live)?.user;
  const { strategy } = next.spec;
  const spec = { ...live.spec, ...next.spec, strategy: strategy ?? live.spec.strategy ?? {} };
  if (next.spec.replicas === undefined && live.spec.replicas !== undefined) spec.replicas = live.spec.replicas;
  const annotations = strategy === undefined && settings ? live.metadata.annotations : next.metadata.annotations;
  return { ...live, metadata: { ...live.metadata, annotations: annotations ?? {} }, spec };
}

/** Without a cluster there are none to ask. */
async function policyNotesOf(
  context: Context,
  { rollout, deployment, live }: Subject,
  replicas: number,
): Promise<string[]> {
  if (!live) return [];
  const { policiesFor, policyNotes } = await import('../policies.ts');
  const { createCalendar } = await import('../../schedule/calendar.ts');
  const policies = await policiesFor(await context.cluster(), rollout, deployment);
  if (policies === undefined)
    return ['you may not read ReleasePolicies and namespaces: what policies say about it is not known'];
  return policyNotes(policies, rollout, replicas, context.io.now(), createCalendar());
}

/** What its reader should know beside the numbers; the webhook's own words where it would say some. */
async function notesOf(subject: Subject, { approvals, pauseSeconds, replicas }: Plan): Promise<string[]> {
  const { rollout, deployment, live } = subject;
  const notes: string[] = [];
  if (rollout.spec.disabled === true)
    notes.push('the Rollout is disabled: a change goes out as a normal rolling update, without these steps');
  if (deployment.spec.strategy?.type === 'Recreate')
    notes.push('the strategy of the Deployment is Recreate: all Pods are replaced at once, without these steps');
  if (replicas === 0) notes.push('there are no Pods: a change goes out without steps');
  if (live && live !== deployment) notes.push(...(await notesOnEdit(rollout, live, deployment.spec.template)));
  if (approvals > 0)
    notes.push(
      `${plural(approvals, 'approval')}, each with: kubectl tranche approve ${rollout.metadata.name}${namespaceFlag(rollout)}`,
    );
  if (pauseSeconds > 0) notes.push(`the pauses take ${duration(pauseSeconds * 1000)} together`);
  if (rollout.spec.strategy.canary?.onFailure === 'Rollback')
    notes.push('when a step fails, the version before is put back at once');
  const experience = experienceOf(rollout.status?.history);
  if (experience)
    notes.push(
      `it may take ${duration(experience.medianSeconds * 1000)}: the median of the last ${plural(experience.releases, 'completed release')}, waiting for people included`,
    );
  return notes;
}

/** What the Deployment gets this template for. */
async function notesOnEdit(rollout: Rollout, live: Deployment, template: PodTemplate): Promise<readonly string[]> {
  if (sameTemplate(live.spec.template, template)) return ['the template is the one it has: this starts no release'];
  const { digest, sha256 } = await import('../../kube/digest.ts');
  if (readHeld(live)?.stable === digest(template))
    return ['this is the version before the release that is under way: it rolls back at once, not in steps'];
  const { intercept } = await import('../../engine/admit/intercept.ts');
  const next = { ...live, spec: { ...live.spec, template } };
  const edit = { operation: 'UPDATE', old: live, next, user: '', fieldManager: '' } as const;
  const { verdict, warnings } = intercept(edit, rollout, { operatorUser: '', sha256 });
  return verdict === 'Bypassed' || verdict === 'Superseded'
    ? warnings.map((text) => text.replace(/^tranche: /, ''))
    : [];
}

function print(
  { io, paint }: Context,
  { rollout, deployment }: Subject,
  plan: Plan,
  notes: readonly string[],
  wide: boolean,
): void {
  const { replicas, limits, steps } = plan;
  io.out(
    `${paint('bold', rollout.metadata.name)} releases ${pods(replicas)} of Deployment ${deployment.metadata.name} in ` +
      `${plural(steps.length, 'step')} (maxSurge ${limits.surge}, maxUnavailable ${limits.unavailable})\n\n`,
  );
  io.out(
    table([
      [
        'STEP',
        'WRITTEN',
        'REPLACES',
        'NEW',
        'OLD',
        ...(wide ? ['SHARE'] : []),
        'SURGE AT MOST',
        'UNAVAILABLE AT MOST',
        'THEN',
      ],
      ...steps.map((step) => [
        `${step.step ?? 'rest'}`,
        `${step.replicas ?? '-'}`,
        `${step.replaces}`,
        `${step.updated}`,
        `${step.old}`,
        ...(wide ? [`${replicas === 0 ? 100 : Math.round((step.updated * 100) / replicas)}%`] : []),
        `${step.surge}`,
        `${step.unavailable}`,
        step.old === 0 && step.wait === 'None' ? 'is done' : describeWait(step.wait),
      ]),
    ]),
  );
  if (notes.length > 0) io.out(`\n${notes.map((note) => `- ${note}\n`).join('')}`);
}
