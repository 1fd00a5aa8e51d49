// Completes a decision of the engine: asks the API server what the decision needs, reports its outcome, and answers.
import type { AdmissionDecision, Answered, Answers, Facts, Needs, Requester } from '../engine/admit/decision.ts';
import { takeoverUnchecked } from './access.ts';
import type { AdmissionDeps } from './deps.ts';
import { refuse, refuseNotReady, type Answer } from './review.ts';

/** Synchronous unless the decision needs the API server. `namespace`: namespace of the objects that it needs. */
export function decide<F extends Facts>(
  admit: (facts: F) => AdmissionDecision,
  facts: F,
  deps: AdmissionDeps,
  namespace: string,
): Answer | Promise<Answer> {
  const decision = admit(facts);
  const { needs } = decision;
  if (needs === undefined) return answerOf(decision, deps);
  const go = (answers: Answers): Answer | Promise<Answer> =>
    decide(admit, { ...facts, answers: { ...facts.answers, ...answers } }, deps, namespace);
  const answers = ask(needs, facts, deps, namespace);
  return answers instanceof Promise ? answers.then(go) : go(answers);
}

/** The answer of a decision that needs nothing. */
export function answerOf(decision: AdmissionDecision, deps: AdmissionDeps): Answer {
  const { verdict, violations, patch, warnings, reports, decided } = decision;
  for (const report of reports ?? []) deps.policy?.report?.(report);
  if (decided !== undefined) deps.onDecision?.(decided);
  if (decision.notReady !== undefined) return refuseNotReady(decision.notReady);
  if (violations !== undefined) return refuse(verdict, violations);
  return { verdict, ...(patch && { patch }), ...(warnings && { warnings }) };
}

function ask(needs: Needs, { by, answers }: Facts, deps: AdmissionDeps, namespace: string): Answers | Promise<Answers> {
  if (needs.access !== undefined) return askAccess(needs.access, by, deps);
  if (needs.workload !== undefined) {
    const { kind, name } = needs.workload;
    return settled(deps.readWorkload?.(kind, namespace, name), (workload) => ({ workload }));
  }
  const { rights, routed } = needs;
  if (rights !== undefined) {
    // Without a way to check them, RBAC of Rollouts alone decides.
    const asked = deps.lacking?.(rights, by, namespace);
    return asked === undefined ? { rights: [] } : asked.then((lacking) => ({ rights: lacking }));
  }
  if (routed !== undefined) {
    // With the question about the rights, this is one question of the namespace.
    const isCounted = answers.rights !== undefined;
    return settled(deps.readRouted?.(routed, namespace, isCounted), (found) => ({ routed: found }));
  }
  return settled(deps.ownerOfReplicaSet?.(namespace, needs.ownerOf ?? ''), (owner) => ({ owner }));
}

/** Without a way to check access, users who can write the status can approve, and nobody can take over. */
function askAccess(
  { verb, rollout }: NonNullable<Needs['access']>,
  { user, groups, dryRun }: Requester,
  { authorize, authorizeTakeover }: AdmissionDeps,
): Answers | Promise<Answers> {
  const objections = (verb === 'approve' ? authorize : authorizeTakeover)?.({ rollout, user, groups, dryRun });
  if (objections === undefined) return { access: verb === 'approve' ? [] : [takeoverUnchecked(user)] };
  return objections.then((access) => ({ access }));
}

const settled = <T>(
  asked: Promise<T | undefined> | undefined,
  as: (answer: Answered<T>) => Answers,
): Answers | Promise<Answers> =>
  asked === undefined
    ? as('NobodyToAsk')
    : asked.then(
        (found) => as({ found }),
        () => as('NoAnswer'),
      );
