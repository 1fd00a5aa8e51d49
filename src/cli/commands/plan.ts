// `kubectl tranche plan`: shows the steps of a release in advance, from the cluster, from files, or from both.
import { MAX_PODS, replicasOf } from '../../engine/lib/replicas.ts';
import { plural, pods } from '../../engine/lib/text.ts';
import type { Plan, PlannedStep } from '../../engine/steps/plan.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { EXIT, usageError } from '../exit.ts';
import { OUTPUT } from '../flags.ts';
import { isTable, parseFormat, printData, rolloutName } from '../output.ts';
import type { Subject } from '../plan/subject.ts';
import { describeWatch } from '../render/checks.ts';
import { describeWait, table } from '../text.ts';
import { resourceOf } from '../../view/reference.ts';

interface PlanFlags {
  readonly filename?: readonly string[];
  readonly replicas?: string;
  readonly output?: string;
}

export const plan = defineCommand({
  description:
    'Shows what each step of the next release will do: new and old Pods, the maximum of surge and unavailable Pods, how long checks watch it, where the release waits, and how ' +
    'long the last releases took. The same engine runs the release. With -f, it plans a changed workload. If the files contain both a Rollout and its ' +
    'workload, it needs no cluster. ReleasePolicies in the files are applied, too.',
  arguments: [['[rollout]', 'Name of the Rollout, or deployment/NAME; not needed if -f contains the Rollout']],
  options: [
    [
      '-f, --filename <file>',
      'YAML or JSON file with a new workload, a Rollout, or both, and with policies; "-" is standard input; may be repeated',
      { repeated: true },
    ],
    ['--replicas <number>', 'Plan for this number of replicas'],
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
    throw usageError(`invalid --replicas "${flags.replicas}": write a number, 1 or more`);
  const { subjectOf } = await import('../plan/subject.ts');
  const { notesOf } = await import('../plan/notes.ts');
  const { policiesOf } = await import('../plan/policies.ts');
  const { policyNotes } = await import('../policies.ts');
  const { approvalPolicies } = await import('../../engine/policy/approval.ts');
  const { createCalendar } = await import('../../schedule/calendar.ts');
  const { experienceOf, planRelease } = await import('../../engine/steps/plan.ts');
  const subject = await subjectOf(context, flags.filename ?? [], name);
  const { replicas = 1 } = subject.deployment.spec;
  if (!Number.isInteger(replicas) || replicas < 0 || replicas > MAX_PODS)
    throw usageError(
      `${resourceOf(subject.rollout).kind} ${subject.deployment.metadata.name}: spec.replicas: Invalid value: ${JSON.stringify(replicas)}: ` +
        `must be between 0 and ${MAX_PODS}; write the number of Pods`,
    );
  const size = flags.replicas === undefined ? replicasOf(subject.deployment) : Number(flags.replicas);
  const { policies, doubts } = await policiesOf(context, subject);
  const approval = approvalPolicies(policies).length > 0;
  const { kindFor } = await import('../../view/facts.ts');
  const planned = planRelease(subject.rollout, subject.deployment, { size, approval, kind: kindFor(subject.rollout) });
  const experience = experienceOf(subject.rollout.status?.history);
  const granting = () => ({ policies, now: context.io.now() });
  const notes = [
    ...notesOf(subject, planned, experience, granting),
    ...policyNotes(policies, subject.rollout, size, context.io.now(), createCalendar()),
    ...doubts,
  ];
  const data = { ...planned, ...(experience ? { experience } : {}), notes };
  if (isTable(format)) print(context, subject, planned, notes, format === 'wide');
  else await printData(context, format, data, [rolloutName(subject.rollout)]);
  return EXIT.done;
}

function print(
  { io, paint }: Context,
  { rollout, deployment }: Subject,
  plan: Plan,
  notes: readonly string[],
  wide: boolean,
): void {
  const { replicas, limits, steps } = plan;
  const listed = notes.map((note) => `- ${note}\n`).join('');
  if (replicas === 0) return io.out(listed);
  io.out(
    `${paint('bold', rollout.metadata.name)} releases ${pods(replicas)} of ${resourceOf(rollout).kind} ${deployment.metadata.name} in ` +
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
        thenOf(step),
      ]),
    ]),
  );
  if (notes.length > 0) io.out(`\n${listed}`);
}

/** `is watched for 10m, then waits for approval` */
function thenOf({ old, watched, wait }: PlannedStep): string {
  const then = old === 0 && wait === 'None' ? 'is done' : describeWait(wait);
  return watched === undefined ? then : `${describeWatch(watched)}, then ${then}`;
}
