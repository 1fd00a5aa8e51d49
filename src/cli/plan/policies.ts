// The policies of a plan: those of the cluster and those of the files, which replace the ones with the same name.
import type { ReleasePolicy } from '../../api/policy.ts';
import { sentence } from '../../engine/validate/violation.ts';
import type { Context } from '../context.ts';
import { CliError } from '../exit.ts';
import { applied, policiesAmong } from '../files/policies.ts';
import { policiesFor } from '../policies.ts';
import type { Subject } from './subject.ts';

export interface PlanPolicies {
  /** The policies that select the workload. */
  readonly policies: readonly ReleasePolicy[];
  /** Which policies are not taken into account, and why. */
  readonly doubts: readonly string[];
}

/** Throws CliError if a policy of the files is invalid. */
export async function policiesOf(
  context: Context,
  { rollout, deployment, live, objects }: Subject,
): Promise<PlanPolicies> {
  const written = (await policiesAmong(objects, context.io.now())).map(({ policy, violations, object }) => {
    if (policy !== undefined && violations.length === 0) return policy;
    const name = String((object['metadata'] as { name?: unknown } | undefined)?.name);
    throw new CliError(
      `ReleasePolicy ${name} is invalid: ${violations.map(sentence).join('; ')}; for details: kubectl tranche lint`,
    );
  });
  const stored = live && (await policiesFor(await context.cluster(), rollout, deployment, written));
  if (stored !== undefined) return { policies: stored, doubts: [] };
  const { policies, unknown } = applied(written, { rollout, deployment, namespace: context.flags.namespace }, objects);
  const only =
    written.length > 0 ? 'only those in the files are taken into account' : 'policies are not taken into account';
  return {
    policies,
    doubts: [
      ...unknown.map(({ policy, why }) => `policy ${policy.metadata.name} is not taken into account: ${why}`),
      live === undefined
        ? `the plan is made without a cluster, so its ReleasePolicies are not known: ${only}`
        : `you may not read ReleasePolicies and namespaces: ${only}`,
    ],
  };
}
