// The end of a rollback while no webhook answers: waits for the operator, and gives the Deployment back itself if none runs.
import { PAUSED_UNSEEN } from '../api/keys.ts';
import { DEPLOYMENTS } from '../api/resources.ts';
import type { Deployment } from '../api/types.ts';
import { sameTemplate } from '../engine/lib/template.ts';
import { inNamespace } from '../engine/lib/text.ts';
import { giveBackPatch, readHeld } from '../engine/workload/deployment/hold.ts';
import { isPausedUnseen } from '../view/act/put-back.ts';
import { nameOf } from '../view/act/write.ts';
import type { Cluster, Write } from './cluster.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { oneLine } from './paint.ts';

const ASK_EVERY_MS = 500;
/** An operator that runs gives a Deployment back sooner. */
const ASK_FOR_MS = 6_000;

/** True if the API server could not call a webhook, for admission or for conversion. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && /failed calling webhook|conversion webhook for \S+, Kind=\w+ failed/.test(error.message);

/** The same change of the template, which also pauses the Deployment. It starts no Pods, so it does not need the webhook. */
export const paused = (write: Write): Write => ({
  ...write,
  body: [...(write.body as readonly object[]), { op: 'add', path: '/spec/paused', value: true }],
});

/** Lets the native controller roll out the template that was put back. Requires the verb approve where the guard policy is installed. */
export async function letGo(context: Context, stored: Deployment): Promise<void> {
  const cluster = await context.cluster();
  const { realClock, sleep } = await import('../kube/clock.ts');
  const { name, namespace } = stored.metadata;
  const deadline = context.io.now() + ASK_FOR_MS;
  const wasHeld = readHeld(stored) !== undefined;
  for (;;) {
    const deployment = await cluster.find<Deployment>(DEPLOYMENTS, { namespace, name });
    if (!deployment || deployment.metadata.uid !== stored.metadata.uid)
      throw new CliError(`Deployment "${name}" does not exist any more`);
    if (!sameTemplate(deployment.spec.template, stored.spec.template))
      throw new CliError(
        `somebody changed the template of Deployment ${name} after this command had restored it: it is not given back; to look at it: kubectl get deployment ${name}${inNamespace(namespace)} -o yaml`,
      );
    const held = readHeld(deployment) !== undefined;
    if (held && !wasHeld)
      throw new CliError(
        `the operator runs, but no webhook answers: Deployment ${name} is held, and released in steps; to find the cause: kubectl tranche doctor`,
      );
    if (!held && !isPausedUnseen(deployment) && (wasHeld || deployment.spec.paused !== true)) {
      context.io.out(`the operator has given Deployment ${name} back: it rolls back immediately\n`);
      return;
    }
    if (context.io.now() > deadline) {
      if (await wasFreed(cluster, deployment)) break;
    } else if (!(await sleep(realClock, ASK_EVERY_MS, context.io.signal)))
      throw new CliError('interrupted', EXIT.interrupted);
  }
  const look = `kubectl rollout status deployment/${name}${inNamespace(namespace)}`;
  context.io.out(
    oneLine(
      `no webhook and no operator answered: Deployment ${name} was given back with the settings of its user, and the native controller rolls it out ` +
        `without steps; follow it with: ${look}; when the operator returns, it records this`,
    ) + '\n',
  );
}

/** False after a conflict: somebody else has changed the Deployment. */
async function wasFreed(cluster: Cluster, deployment: Deployment): Promise<boolean> {
  const { name, namespace, resourceVersion } = deployment.metadata;
  const held = readHeld(deployment);
  const patch = held
    ? (JSON.parse(giveBackPatch(held)) as { metadata: { annotations: object }; spec: object })
    : { metadata: { annotations: {} }, spec: { paused: null } };
  const annotations = { ...patch.metadata.annotations, [PAUSED_UNSEEN]: null };
  const body = { ...patch, metadata: { ...patch.metadata, resourceVersion, annotations } };
  const contentType = 'application/merge-patch+json';
  try {
    await cluster.send({ method: 'PATCH', resource: DEPLOYMENTS, ...nameOf(deployment), contentType, body }, 'none');
    return true;
  } catch (error) {
    if (cluster.answerOf(error) === 'Conflict') return false;
    const { message } = error as Error;
    if (!message.includes('verb approve') && !isUnanswered(error)) throw error;
    throw new CliError(
      `the template is restored, but Deployment ${name} stays paused, because no webhook and no operator answer: to roll it out now requires the verb ` +
        `"approve" on rollouts.rollouts.kruise.io; ask somebody who has it to run the same command, or start Tranche` +
        (namespace === undefined ? '' : ` (namespace ${namespace})`),
      EXIT.refused,
    );
  }
}
