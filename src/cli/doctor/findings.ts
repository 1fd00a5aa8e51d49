// All checks of the doctor.
import type { Context } from '../context.ts';
import { attempt, FORBIDDEN } from './attempt.ts';
import { checkDeployments } from './deployments.ts';
import { INSTALL, installIn, type Finding } from './finding.ts';
import { checkInstallation } from './installation.ts';
import { checkRoutes } from './routes.ts';
import { fitted } from './remedy.ts';

/** `systemNamespace`: the namespace of the chart; undefined: taken from the webhook configurations. */
export async function findAll(context: Context, systemNamespace: string | undefined): Promise<readonly Finding[]> {
  const cluster = await context.cluster();
  const { io, flags } = context;
  const {
    findings: installation,
    alive,
    webhooks,
    installed,
  } = await checkInstallation(cluster, context, systemNamespace);
  const findings: Finding[] = [...installation];
  const deployments = await attempt(findings, `workloads and Rollouts in namespace ${cluster.namespace}`, () =>
    checkDeployments(cluster, alive, webhooks, io.now()),
  );
  if (deployments !== FORBIDDEN) findings.push(...deployments);
  if (deployments !== FORBIDDEN) {
    const where = `routes in namespace ${cluster.namespace}`;
    const routes = await attempt(findings, where, () => checkRoutes(cluster, webhooks));
    if (routes !== FORBIDDEN) findings.push(...routes);
  }
  return findings.map(({ mend, ...finding }) =>
    mend === undefined
      ? finding
      : {
          ...finding,
          mend: fitted(mend.startsWith(INSTALL) ? mend.replace(INSTALL, installIn(installed)) : mend, {
            invocation: io.invocation,
            flags,
          }),
        },
  );
}
