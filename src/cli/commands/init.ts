// `kubectl tranche init`: generates a Rollout with steps for the size of a workload.
import { ROLLOUT_RESOURCE } from '../../api/keys.ts';
import { ROLLOUTS, type Resource } from '../../api/resources.ts';
import type { CanaryStep, IntOrString, Rollout } from '../../api/types.ts';
import { stepTarget, stepTargets } from '../../engine/lib/replicas.ts';
import { inNamespace, pods } from '../../engine/lib/text.ts';
import { sentence } from '../../engine/validate/violation.ts';
import { resourceOf } from '../../view/reference.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { CliError, EXIT, usageError } from '../exit.ts';
import { DRY_RUN, dryRunNote, parseDryRun, parseDuration, WORKLOAD } from '../flags.ts';
import { listRollouts } from '../resources.ts';
import { findNamed } from '../workloads.ts';

interface InitFlags {
  readonly steps?: string;
  readonly pause?: string;
  readonly apply?: boolean;
  readonly dryRun?: string;
}

export const init = defineCommand({
  description:
    'Generates a Rollout with steps that fit the size of the workload, and prints it. With --apply, creates the Rollout.',
  arguments: [WORKLOAD],
  options: [
    ['--steps <list>', 'Steps, such as 1,50%,100%; default: depends on the size'],
    ['--pause <time>', 'Continue after this time, such as 10m; default: each step waits for approval'],
    ['--apply', 'Create the Rollout'],
    DRY_RUN,
  ],
  examples: [
    'kubectl tranche init web --steps 10%,50%,100% > rollout.yaml',
    'kubectl tranche init web --apply',
    'kubectl tranche init statefulset/db --apply',
  ],
  run: makeRollout,
});

async function makeRollout(context: Context, flags: InitFlags, argument: string): Promise<number> {
  const dryRun = parseDryRun(flags.dryRun);
  const pauseMs = flags.pause === undefined ? undefined : parseDuration(flags.pause, '--pause');
  const wanted = flags.steps === undefined ? undefined : parseSteps(flags.steps);
  if (dryRun !== 'none' && flags.apply !== true) throw usageError('--dry-run requires --apply');
  const { io } = context;
  const cluster = await context.cluster();
  const { resource, workload } = await findNamed(cluster, argument);
  const { kindOfResource } = await import('../../engine/workload/registry.ts');
  const { name, namespace = cluster.namespace } = workload.metadata;
  const { kind } = resource;
  const replicas = kindOfResource(resource)!.replicas(workload);
  const steps = wanted ?? stepsFor(replicas);
  const rollout = rolloutFor(resource, name, namespace, steps, pauseMs);
  const others = await listRollouts(cluster, namespace);
  const other = others.find(({ spec }) => spec.workloadRef.name === name && resourceOf({ spec }) === resource);
  const { validateRollout } = await import('../../engine/validate/rollout.ts');
  const { violations, warnings } = validateRollout({ rollout, version: 'v1beta1', other, deployment: workload });
  const taken = other
    ? [
        `${kind} "${name}" already has Rollout "${other.metadata.name}"; to change it: kubectl edit ${ROLLOUT_RESOURCE} ${other.metadata.name}${inNamespace(namespace)}`,
      ]
    : [];
  const wrong = [
    ...taken,
    ...violations.filter(({ field }) => !other || field !== 'spec.workloadRef.name').map(sentence),
  ];
  if (wrong.length > 0) throw new CliError(wrong.join('; '));
  for (const warning of warnings) io.err(`Warning: ${warning.replace(/^tranche: /, '')}\n`);
  const sizes = stepTargets(
    steps.map((value) => ({ replicas: value })),
    replicas,
  ).join(' → ');
  const { stringify } = await import('yaml');
  if (flags.apply !== true) {
    io.data(
      `# New Pods after each step: ${sizes} of the ${pods(replicas)} of ${kind} ${name}.\n${stringify(rollout, { lineWidth: 0, aliasDuplicateObjects: false })}`,
    );
    return EXIT.done;
  }
  await cluster.send({ method: 'POST', resource: ROLLOUTS, namespace, body: rollout }, dryRun);
  io.out(
    `Rollout ${name} created: the next change of ${kind} ${name} goes through the steps ${sizes} of ${pods(replicas)}${dryRunNote(dryRun)}\n`,
  );
  return EXIT.done;
}

/** The default steps. Steps that release no more Pods than the step before are left out. */
export function stepsFor(replicas: number): IntOrString[] {
  const wanted: IntOrString[] =
    replicas <= 1
      ? ['100%']
      : replicas <= 3
        ? [1, '100%']
        : replicas < 20
          ? [1, '50%', '100%']
          : replicas < 100
            ? ['5%', '25%', '50%', '100%']
            : ['1%', '10%', '25%', '50%', '100%'];
  return wanted.filter((step, i) => i === 0 || stepTarget(step, replicas) > stepTarget(wanted[i - 1], replicas));
}

function parseSteps(text: string): IntOrString[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.map((part) => {
    if (/^[1-9]\d*%$/.test(part)) return part;
    if (/^[1-9]\d*$/.test(part)) return Number(part);
    throw usageError(`invalid --steps "${text}": "${part}": write numbers of Pods or percentages, such as 1,50%,100%`);
  });
}

function rolloutFor(
  { apiVersion, kind }: Resource,
  name: string,
  namespace: string,
  sizes: readonly IntOrString[],
  pauseMs: number | undefined,
): Rollout {
  const pause = pauseMs === undefined ? {} : { pause: { duration: Math.ceil(pauseMs / 1000) } };
  const steps: CanaryStep[] = sizes.map((replicas) => (replicas === '100%' ? { replicas } : { replicas, ...pause }));
  return {
    apiVersion: ROLLOUTS.apiVersion,
    kind: ROLLOUTS.kind,
    metadata: { name, namespace },
    spec: { workloadRef: { apiVersion, kind, name }, strategy: { canary: { steps } } },
  };
}
