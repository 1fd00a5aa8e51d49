// Admission as data: the facts about a request, and the one decision on it. The shell reads the facts, asks what a decision needs, and answers.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, KubeObject, Rollout } from '../../api/types.ts';
import type { Finding, Labels, Person } from '../policy/policy.ts';
import type { Calendar } from '../policy/windows.ts';
import type { Violation } from '../validate/violation.ts';
import { isOperators, type Verdict } from './edit.ts';
import type { PatchOp } from '../lib/json-patch.ts';

/** `Denied`: by a policy. `NotReady`: nothing can be decided now. */
export type AdmissionVerdict = Verdict | 'Denied' | 'Approved' | 'NotReady';

export interface AdmissionDecision {
  /** For metrics and the log. */
  readonly verdict: AdmissionVerdict;
  /** All that is wrong with the request: it is refused. Absent when it is allowed. */
  readonly violations?: readonly Violation[];
  /** Why nothing can be decided: the request is refused, and may be sent again. */
  readonly notReady?: string;
  readonly patch?: readonly PatchOp[];
  /** Sentences for the user. */
  readonly warnings?: readonly string[];
  /** Rules of policies that did not hold: for events, metrics and the log. Never of a dry run. */
  readonly reports?: readonly PolicyReport[];
  /** What became of an edit of a workload: for the log. Never of a dry run. */
  readonly decided?: Decided;
  /** What only the API server can say. The facts with the answer give the decision that counts; of this one nothing else does. */
  readonly needs?: Needs;
}

export type PolicyOutcome = 'denied' | 'warned' | 'audited' | 'broken';

/** A rule that did not hold, and what came of it. */
export interface PolicyReport {
  readonly outcome: PolicyOutcome;
  readonly finding: Finding;
  readonly about: KubeObject;
  readonly user: string;
  /** The review's uid. */
  readonly request: string;
  /** The reason of whoever went past it. */
  readonly breakGlass: string | undefined;
}

export interface Decided {
  /** The review's uid. */
  readonly request: string;
  readonly verdict: Verdict | 'Denied';
  readonly namespace: string;
  readonly name: string;
  readonly rollout: string | undefined;
  readonly user: string;
}

/** One question. */
export interface Needs {
  /** May the requester use this verb on the Rollout? */
  readonly access?: { readonly verb: 'approve' | 'takeover'; readonly rollout: Rollout };
  /** The Deployment of this name as it is now: a release that began a moment ago is in no cache yet. */
  readonly deployment?: string;
  /** The Deployment that controls the ReplicaSet of this name. */
  readonly ownerOf?: string;
}

/** What the API server has answered so far. */
export interface Answers {
  /** Why the requester may not use the verb; empty = they may. */
  readonly access?: readonly Violation[];
  readonly deployment?: Answered<Deployment>;
  /** The owner's name. */
  readonly owner?: Answered<string>;
}

/** `found` undefined = there is none. `NoAnswer`: not in time. `NobodyToAsk`: this program runs without a way to ask. */
export type Answered<T> = { readonly found: T | undefined } | 'NoAnswer' | 'NobodyToAsk';

/** Who asks. */
export interface Requester {
  /** The review's uid. */
  readonly request: string;
  readonly user: string;
  readonly groups: readonly string[];
  /** "" when there is none. */
  readonly fieldManager: string;
  readonly dryRun: boolean;
}

/** What is known about every request. */
export interface Facts {
  /** CREATE, UPDATE, DELETE or CONNECT. */
  readonly operation: string;
  /** "" = the object itself. */
  readonly subResource: string;
  readonly by: Requester;
  /** The username that the operator's own requests carry. */
  readonly operatorUser: string;
  /** Users are told in warnings what will happen. */
  readonly warns: boolean;
  /** What is missing before decisions can be made; undefined when nothing is. */
  readonly notReady: string | undefined;
  /** Undefined where there are no policies. */
  readonly policies: Policies | undefined;
  readonly answers: Answers;
}

/** What judging takes. Lookups in caches, asked only where they matter. */
export interface Policies {
  /** Those that select a Deployment of the namespace with any of these sets of labels; by its namespace alone where there are none. */
  readonly matching: (workloadLabels: readonly Labels[]) => readonly ReleasePolicy[];
  /** Deployments of the namespace in a release, but for the one of this name. */
  readonly inFlight: (except: string) => number;
  readonly calendar: Calendar;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export const pass: AdmissionDecision = { verdict: 'Passed' };

export const refuse = (violations: readonly Violation[]): AdmissionDecision => ({ verdict: 'Refused', violations });

export const notReady = (why: string): AdmissionDecision => ({ verdict: 'NotReady', notReady: why });

export const need = (needs: Needs): AdmissionDecision => ({ verdict: 'NotReady', needs });

/** A new object or a change of one, not of a subresource. */
export const isWrite = ({ operation, subResource }: Pick<Facts, 'operation' | 'subResource'>): boolean =>
  subResource === '' && (operation === 'CREATE' || operation === 'UPDATE');

export const byOperator = ({ by, operatorUser }: Pick<Facts, 'by' | 'operatorUser'>): boolean =>
  isOperators(by, operatorUser);

/** `breakGlass`: the reason this person gives for going past policy. */
export const personOf = ({ user, groups }: Requester, breakGlass: string | undefined): Person => ({
  user,
  groups,
  breakGlass,
});

/** The policies that select this Deployment; where it is not known, those that select all of its namespace. */
export const policiesFor = ({ policies }: Facts, deployment: Deployment | undefined): readonly ReleasePolicy[] =>
  policies?.matching(deployment === undefined ? [] : [deployment.metadata.labels]) ?? [];

/** This decision, if the requester may use the verb; what policies had to say is reported either way. */
export function ifAllowed(
  { answers }: Facts,
  access: NonNullable<Needs['access']>,
  decision: AdmissionDecision,
): AdmissionDecision {
  if (answers.access === undefined) return need({ access });
  if (answers.access.length === 0) return decision;
  return { ...refuse(answers.access), ...(decision.reports && { reports: decision.reports }) };
}
