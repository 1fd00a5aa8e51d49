// Admission as data: the facts about a request, and the decision. The caller reads the facts, asks the API server what a decision needs, and answers.
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Deployment, KubeObject, Rollout, Workload } from '../../api/types.ts';
import type { Finding, Labels, Person } from '../policy/policy.ts';
import type { Calendar } from '../policy/windows.ts';
import type { Violation } from '../validate/violation.ts';
import { isOperators, type Verdict } from './edit.ts';
import type { TrafficAsk } from '../traffic/facts.ts';
import type { Right, RoutedObjects } from './routing.ts';
import type { PatchOp } from '../lib/json-patch.ts';
import type { WorkloadKind } from '../workload/kind.ts';

/** `Denied`: a policy refuses the request. `NotReady`: no decision is possible now. */
export type AdmissionVerdict = Verdict | 'Denied' | 'Approved' | 'NotReady';

export interface AdmissionDecision {
  /** For metrics and the log. */
  readonly verdict: AdmissionVerdict;
  /** The errors for which the request is refused. Absent if it is allowed. */
  readonly violations?: readonly Violation[];
  /** Why no decision is possible. The request is refused, and the client can retry. */
  readonly notReady?: string;
  readonly patch?: readonly PatchOp[];
  /** Warnings for the user. */
  readonly warnings?: readonly string[];
  /** Violated policy rules, for events, metrics and the log. Absent for a dry run. */
  readonly reports?: readonly PolicyReport[];
  /** The outcome of an edit of a workload, for the log. Absent for a dry run. */
  readonly decided?: Decided;
  /** A question for the API server. Only the decision on the facts with its answer counts. */
  readonly needs?: Needs;
}

export type PolicyOutcome = 'denied' | 'warned' | 'audited' | 'broken';

/** A violated rule and its outcome. */
export interface PolicyReport {
  readonly outcome: PolicyOutcome;
  readonly finding: Finding;
  readonly about: KubeObject;
  readonly user: string;
  /** The review's uid. */
  readonly request: string;
  /** The reason of the user who broke the glass. */
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
  /** The workload to read. A release that has just started is not in the cache yet. */
  readonly workload?: { readonly kind: WorkloadKind; readonly name: string };
  /** Name of the ReplicaSet whose Deployment is needed. */
  readonly ownerOf?: string;
  /** May the requester write what the Rollout routes requests with? */
  readonly rights?: readonly Right[];
  /** The route and the Services to read. */
  readonly routed?: TrafficAsk;
}

/** The answers of the API server so far. */
export interface Answers {
  /** Why the requester may not use the verb. Empty if they may. */
  readonly access?: readonly Violation[];
  readonly workload?: Answered<Workload>;
  /** The owner's name. */
  readonly owner?: Answered<string>;
  /** The rights that the requester does not have. */
  readonly rights?: readonly Violation[];
  readonly routed?: Answered<RoutedObjects>;
}

/** `found` is undefined if the object does not exist. `NoAnswer`: no answer in time. `NobodyToAsk`: the program has no API client for this. */
export type Answered<T> = { readonly found: T | undefined } | 'NoAnswer' | 'NobodyToAsk';

/** The user of a request. */
export interface Requester {
  /** The review's uid. */
  readonly request: string;
  readonly user: string;
  readonly groups: readonly string[];
  /** "" when there is none. */
  readonly fieldManager: string;
  readonly dryRun: boolean;
}

/** The facts about every request. */
export interface Facts {
  /** CREATE, UPDATE, DELETE or CONNECT. */
  readonly operation: string;
  /** "" for the object itself. */
  readonly subResource: string;
  readonly by: Requester;
  /** The username that the operator's own requests carry. */
  readonly operatorUser: string;
  /** Warnings are enabled. */
  readonly warns: boolean;
  /** What is missing before decisions are possible. Undefined if nothing is. */
  readonly notReady: string | undefined;
  /** Undefined if policies are not available. */
  readonly policies: Policies | undefined;
  readonly answers: Answers;
}

/** Lookups of policies in the caches. Called only if needed. */
export interface Policies {
  /** Policies that select a workload in the namespace with any of these label sets. Without label sets, policies that select the namespace. */
  readonly matching: (workloadLabels: readonly Labels[]) => readonly ReleasePolicy[];
  /** Number of workloads in the namespace with a release in progress, except this one. */
  readonly inFlight: (except: string, kind: WorkloadKind) => number;
  readonly calendar: Calendar;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export const pass: AdmissionDecision = { verdict: 'Passed' };

export const refuse = (violations: readonly Violation[]): AdmissionDecision => ({ verdict: 'Refused', violations });

export const notReady = (why: string): AdmissionDecision => ({ verdict: 'NotReady', notReady: why });

export const need = (needs: Needs): AdmissionDecision => ({ verdict: 'NotReady', needs });

/** True for a CREATE or UPDATE of the object itself. */
export const isWrite = ({ operation, subResource }: Pick<Facts, 'operation' | 'subResource'>): boolean =>
  subResource === '' && (operation === 'CREATE' || operation === 'UPDATE');

export const byOperator = ({ by, operatorUser }: Pick<Facts, 'by' | 'operatorUser'>): boolean =>
  isOperators(by, operatorUser);

/** `breakGlass`: the user's reason for breaking the glass. */
export const personOf = ({ user, groups }: Requester, breakGlass: string | undefined): Person => ({
  user,
  groups,
  breakGlass,
});

/** The policies that select this workload. If it is unknown, those that select all workloads of the namespace. */
export const policiesFor = ({ policies }: Facts, deployment: Deployment | undefined): readonly ReleasePolicy[] =>
  policies?.matching(deployment === undefined ? [] : [deployment.metadata.labels]) ?? [];

/** This decision, if the requester may use the verb. Policy reports are kept in both cases. */
export function ifAllowed(
  { answers }: Facts,
  access: NonNullable<Needs['access']>,
  decision: AdmissionDecision,
): AdmissionDecision {
  if (answers.access === undefined) return need({ access });
  if (answers.access.length === 0) return decision;
  return { ...refuse(answers.access), ...(decision.reports && { reports: decision.reports }) };
}
