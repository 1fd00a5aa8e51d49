// Actions of the page: asks the API server about their writes in a dry run, and sends the very same writes after a click.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Rollout } from '../../api/types.ts';
import type { ActAnswer, ActBody, AskBody } from '../../dashboard/wire.ts';
import { realClock, sleep } from '../../kube/clock.ts';
import { ApiError, isConflict, isForbidden, NetworkError } from '../../kube/errors.ts';
import type { PlannedAction } from '../../view/dashboard/actions.ts';
import type { ActionAsk, ActionName, ActionVerdict } from '../../view/dashboard/types.ts';
import { ATTEMPTS } from '../act.ts';
import type { Cluster } from '../cluster.ts';
import { postEvent } from '../commands/approve.ts';
import { explainFailure } from '../failure.ts';
import { oneLine } from '../paint.ts';
import type { Opened } from './opened.ts';

/** The warnings of the API server, for the action whose request they answer. */
const heard = new AsyncLocalStorage<Set<string>>();
export const warn = (text: string): void => void heard.getStore()?.add(text);

/** The watch brings the newer state within a moment. */
const AFTER_CONFLICT_MS = 300;
const WHEN_BEHIND_MS = 1_500;

/** The ClusterRole that has the permission. */
const ROLES: Readonly<Partial<Record<ActionName, string>>> = {
  approve: 'tranche-approver',
  jump: 'tranche-approver',
  finish: 'tranche-approver',
};

export class Acts {
  private readonly cluster: Cluster;
  private readonly now: () => number;
  private readonly running = new Set<string>();

  constructor(cluster: Cluster, now: () => number) {
    this.cluster = cluster;
    this.now = now;
  }

  /** Sends the writes of an action in a dry run. Undefined: the objects have changed meanwhile, so ask again. */
  async ask(rollout: Rollout, { view, writes }: PlannedAction): Promise<ActionVerdict | undefined> {
    const warnings = new Set<string>();
    let answer: unknown;
    try {
      await heard.run(warnings, async () => {
        for (const write of writes) answer = await this.cluster.send(write, 'server');
      });
    } catch (error) {
      if (isConflict(error)) return undefined;
      const why = await reasonOf(error, view.name);
      if (!isUnknown(error)) return { allowed: false, why };
      return { allowed: false, why: `${why.replace(RETRY, '')}; it is asked again by itself`, unknown: true };
    }
    if (view.name === 'approve' && addsNothing(rollout, answer as Rollout))
      return { allowed: false, why: 'you have approved this step; it needs the approval of others' };
    return { allowed: true, warnings: [...warnings] };
  }

  /** Answers a dialog, where a step or a revision is chosen. */
  async check({ namespace, rollout: name, ask }: AskBody, opened: Opened): Promise<ActionVerdict> {
    const release = opened.get(`${namespace}/${name}`);
    const planned = release?.plan(ask);
    if (!planned || !release?.rollout)
      return { allowed: false, why: `Rollout "${name}" is not open: open it, and try again` };
    if (!planned.view.possible) return { allowed: false, why: planned.view.why ?? 'this is not possible now' };
    const verdict = await this.ask(release.rollout, planned);
    return verdict ?? { allowed: false, why: 'the release is changing: try again in a moment', unknown: true };
  }

  /** Does what the user has confirmed, if the release is still as the user saw it. */
  async act({ namespace, rollout: name, ask, typed, message }: ActBody, opened: Opened): Promise<ActAnswer> {
    const key = `${namespace}/${name}`;
    const release = opened.get(key);
    if (!release) return refused(`Rollout "${name}" is not open: open it, and try again`);
    if (this.running.has(key)) return refused('another action for this Rollout is in progress: try again in a moment');
    this.running.add(key);
    const warnings = new Set<string>();
    let done = 0;
    const failed = (says: string): ActAnswer => {
      // Each write of an action has its own effect.
      const part =
        done === 0 ? '' : `${done === 1 ? 'a part of this is' : 'parts of this are'} done, and the rest is not: `;
      return { done: false, says: `${part}${says}`, warnings: [...warnings] };
    };
    try {
      for (let attempt = 1; ; attempt++) {
        const seen = release.plan({ name: ask.name });
        const problem = seen ? problemOf(seen, ask, name, typed) : `Rollout "${name}" does not exist any more`;
        if (problem !== undefined) return failed(problem);
        const rollout = release.rollout!;
        const { view, writes } = release.plan(ask)!;
        if (!view.possible) return failed(view.why ?? 'this is not possible now');
        try {
          await heard.run(warnings, async () => {
            for (const write of writes) {
              await this.cluster.send(write, 'none');
              done += 1;
            }
          });
        } catch (error) {
          if (!(isConflict(error) || isBehind(error)) || attempt >= ATTEMPTS) throw error;
          await sleep(realClock, isConflict(error) ? AFTER_CONFLICT_MS : WHEN_BEHIND_MS);
          continue;
        }
        if (message !== undefined && ask.name === 'approve') await this.keepMessage(rollout, message, warnings);
        return { done: true, says: view.says ?? view.label, warnings: [...warnings] };
      }
    } catch (error) {
      return failed(await reasonOf(error, ask.name));
    } finally {
      this.running.delete(key);
    }
  }

  private async keepMessage(rollout: Rollout, message: string, warnings: Set<string>): Promise<void> {
    const step = rollout.status?.canaryStatus?.currentStepIndex ?? 0;
    const text = `step ${step} of ${rollout.metadata.name} approved: ${message}`;
    await postEvent(this.cluster, rollout, text, this.now()).catch((error: Error) =>
      warnings.add(`the reason is not stored as an event: ${error.message}`),
    );
  }
}

/** How the webhooks end a refusal that says nothing about the request. Its code is that of any other refusal. */
const RETRY = /[:;,]? try again in a few seconds/;
const isBehind = (error: unknown): boolean => error instanceof ApiError && RETRY.test(error.message);

/** The API server, or a webhook that it calls, could not say. */
const isUnknown = (error: unknown): boolean =>
  isBehind(error) ||
  error instanceof NetworkError ||
  (error instanceof ApiError && (error.code >= 500 || error.code === 429));

const refused = (says: string): ActAnswer => ({ done: false, says, warnings: [] });

/** Why the action is not done. The page asks for all of this, too. */
function problemOf(
  { view }: PlannedAction,
  ask: ActionAsk,
  name: string,
  typed: string | undefined,
): string | undefined {
  if (!view.possible) return view.why ?? 'this is not possible now';
  if (view.version !== ask.version)
    return 'the release has changed since you opened this dialog: look at it, and try again';
  if (view.confirm === 'type' && typed !== name) return `type the name of the Rollout: ${name}`;
  if (view.overrules !== undefined && ask.yes !== true) return `confirm it, because ${view.overrules}`;
  return undefined;
}

/** The user's approval is recorded already, and the step still waits. */
function addsNothing({ status }: Rollout, answer: Rollout): boolean {
  const { currentStepState, approvals } = answer.status?.canaryStatus ?? {};
  return (
    currentStepState === 'StepPaused' &&
    (approvals?.length ?? 0) > 0 &&
    approvals?.length === status?.canaryStatus?.approvals?.length
  );
}

async function reasonOf(error: unknown, name: ActionName): Promise<string> {
  // A bug must not end the dashboard.
  const { message } = await explainFailure(error).catch((bug: unknown) => ({
    message: `this is an error in the dashboard: ${oneLine(String(bug))}; the command in the dialog does the same`,
  }));
  const isRole = isForbidden(error) && message.includes(' is forbidden: ');
  return isRole ? `you may not: ${message}; ask for the ClusterRole ${ROLES[name] ?? 'edit'}` : message;
}
