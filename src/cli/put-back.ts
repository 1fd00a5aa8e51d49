// Restores an earlier template of a workload, for undo and abort.
import { CONTROLLER_REVISIONS } from '../api/resources.ts';
import type { ControllerRevision, Deployment, PodTemplate, TemplateDigest } from '../api/types.ts';
import { sameTemplate } from '../engine/lib/template.ts';
import { governs } from '../engine/admit/edit.ts';
import { copyName, templateOf } from '../engine/release/stable.ts';
import { deploymentKind } from '../engine/workload/deployment/kind.ts';
import { recordOn } from '../engine/workload/record.ts';
import {
  hasAlready,
  isCurrent,
  isPausedUnseen,
  noStable,
  putBack as plan,
  refuseGone,
  stableAmong,
  versionsFor,
  type Version,
  type Versions as PureVersions,
} from '../view/act/put-back.ts';
import { follow, type Target } from '../view/act/target.ts';
import { change, getTarget, type Change } from './act.ts';
import type { Cluster, Write } from './cluster.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import type { DryRun } from './flags.ts';
import { gather } from './resources.ts';
import { isUnanswered, letGo, paused } from './without-us.ts';

export interface Versions extends PureVersions {
  readonly cluster: Cluster;
}

/** Restores the version that `choose` returns. A text: there is nothing to do, and why. Returns the exit code. Throws CliError. */
export async function putBack(
  context: Context,
  name: string,
  dryRun: DryRun,
  choose: (found: Versions) => Version | string | Promise<Version | string>,
): Promise<number> {
  /** The Deployment that has the version again, if it is not given back yet and no webhook has seen the change. */
  let unseen: Deployment | undefined;
  let unpausable = false;
  const attempt = (write: (write: Write) => Write): Promise<Target> =>
    change(context, name, dryRun, async (target) => {
      const found = await versionsOf(context, target);
      unpausable = found.kind !== deploymentKind;
      if (isBackAlready(found)) {
        unseen = found.deployment;
        return {
          says: () =>
            `${found.kind.resource.kind} ${unseen?.metadata.name} already has the stable version, and is still held`,
        };
      }
      const chosen = await choose(found);
      if (typeof chosen === 'string') return { says: () => chosen };
      const { says, ...to } = changeTo(chosen, found);
      return {
        ...(to.write && { write: write(to.write) }),
        says: (answer) => {
          const stored = answer as unknown as Deployment | undefined;
          if (stored && isStillHeld(stored, found) && dryRun === 'none') unseen = stored;
          return says(answer);
        },
      };
    });
  try {
    await attempt((write) => write);
  } catch (error) {
    // Only a Deployment can be paused, so that no webhook is needed.
    if (!isUnanswered(error) || unpausable) throw error;
    await attempt(paused);
  }
  if (unseen !== undefined && dryRun === 'none' && !unpausable) await letGo(context, unseen);
  return EXIT.done;
}

/** An earlier call has restored the stable version while no webhook answered. */
const isBackAlready = ({ deployment, held, digest }: Versions): boolean =>
  held !== undefined && held.stable === digest(deployment.spec.template);

/** The stable template is back, but the Deployment is still held: no webhook saw the change, so none gave the Deployment back. */
const isStillHeld = (stored: Deployment, { held, digest }: Versions): boolean =>
  held !== undefined && held.stable === digest(stored.spec.template) && recordOn(stored) !== undefined;

export const lookUp = async (context: Context, name: string): Promise<Versions> =>
  versionsOf(context, await getTarget(await context.cluster(), name));

async function versionsOf(context: Context, target: Target): Promise<Versions> {
  refuseGone(target);
  const cluster = await context.cluster();
  const { digest } = await import('../kube/digest.ts');
  const { view } = await gather(cluster, target.rollout, context.io.now());
  return { ...versionsFor(target, view, digest), cluster };
}

function changeTo(version: Version, found: Versions): Change {
  const { rollout, kind, deployment, held } = found;
  const noun = kind.resource.kind;
  const { write, what, follows, toStable } = plan(version, found);
  return {
    write,
    says: (answer) => {
      const stored = answer as unknown as Deployment | undefined;
      checkStored(noun, stored, version.template, version.name);
      if (held === undefined && stored !== undefined && isPausedUnseen(stored))
        return `${what}: no webhook answered, so the API server holds it until one does; to roll it out now, which requires the verb approve: ${kind.words.resume(deployment)}`;
      if (held === undefined && stored !== undefined && recordOn(stored) === undefined && governs(rollout))
        return `${what}: it is restored immediately, without steps (rollbackWindow); ${follow(rollout)}`;
      const waits = toStable && stored !== undefined && recordOn(stored) !== undefined;
      return `${what}: ${waits ? staysHeld(noun) : follows}; ${follow(rollout)}`;
    },
  };
}

/** Throws CliError if another webhook or policy changed the template in the same request: the result is a different version. */
function checkStored(noun: string, stored: Deployment | undefined, template: PodTemplate, version: string): void {
  if (stored === undefined || sameTemplate(template, stored.spec.template)) return;
  const { name } = stored.metadata;
  throw new CliError(
    `${noun} ${name} does not have the template of ${version} again: another mutating webhook or policy changed it in the same ` +
      `request, so it is a new version${recordOn(stored) ? ', which goes through the steps' : ''}; ` +
      'to find the webhook or policy: kubectl get mutatingwebhookconfigurations,mutatingadmissionpolicies',
  );
}

/** The message if no webhook has given the workload back. */
const staysHeld = (noun: string): string =>
  `the release is cancelled; the ${noun} stays held until the operator gives it back`;

/** The stable version, if the workload does not have it already. Throws CliError. */
export async function stableOf(found: Versions): Promise<Version> {
  const stable = await findStable(found);
  if (isCurrent(stable, found)) throw new CliError(hasAlready(found));
  return stable;
}

/** The stable version. Throws Refusal if its template is lost. */
export async function findStable(found: Versions): Promise<Version> {
  const { deployment, held, digest, cluster } = found;
  const { version, byDigest } = stableAmong(found);
  const kept = held === undefined || byDigest ? undefined : await keptVersion(cluster, deployment, held.stable, digest);
  const stable = kept ?? version;
  if (stable === undefined) throw noStable(found);
  return stable;
}

/** The copy that the operator keeps during a release, for templates that no ReplicaSet has. */
async function keptVersion(
  cluster: Cluster,
  deployment: Deployment,
  stable: TemplateDigest,
  digest: Versions['digest'],
): Promise<Version | undefined> {
  const name = copyName(deployment, stable);
  const asked = { namespace: deployment.metadata.namespace, name };
  const copy = await cluster.find<ControllerRevision>(CONTROLLER_REVISIONS, asked);
  const template = templateOf(copy, stable, digest);
  return template && { template, name: `ControllerRevision ${name}` };
}
