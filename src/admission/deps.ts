// What the admission server needs of the rest of the program: lookups in the watch cache, who we are, and where to report.
import type { ReleasePolicy } from '../api/policy.ts';
import type { Deployment, Rollout } from '../api/types.ts';
import type { Decided, PolicyReport } from '../engine/admit/decision.ts';
import type { Labels } from '../engine/policy/policy.ts';
import type { Calendar } from '../engine/policy/windows.ts';
import type { Sampling } from '../engine/trace/trace.ts';
import type { Violation } from '../engine/validate/violation.ts';
import type { Logger } from '../kube/log.ts';
import type { PeerCheck } from './peer.ts';

export type { Decided, PolicyReport };

/** PEM. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/** What judging by policies needs of the rest of the program. Lookups in caches, none of them asks the API server. */
export interface PolicyDeps {
  /** Policies that select this Deployment by its namespace and any of these sets of labels; by its namespace alone when there are none. */
  readonly policiesFor: (namespace: string, workloadLabels: readonly Labels[]) => readonly ReleasePolicy[];
  /** Deployments of the namespace in a release, but for this one. */
  readonly inFlight: (namespace: string, except: string) => number;
  readonly calendar: Calendar;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly report?: (report: PolicyReport) => void;
}

/** Somebody who is not the operator lets a step go on. */
export interface Approval {
  readonly rollout: Rollout;
  readonly user: string;
  readonly groups: readonly string[];
  readonly dryRun: boolean;
}

export interface AdmissionDeps {
  /** The first pair; later ones come through `reload`. */
  readonly tls: KeyPair;
  /** Checks the callers of the webhooks; undefined: everybody who reaches the port is answered. */
  readonly peers?: () => PeerCheck;
  /** The username that the operator's own requests carry. */
  readonly operatorUser: string;
  /** Tell users in warnings what will happen. */
  readonly warnings: boolean;
  /** What is missing before decisions can be made (a cache that is not filled); undefined when nothing is. */
  readonly notReady: () => string | undefined;
  /** Why no change in a namespace can be held; without it the webhooks reach all of them. */
  readonly unreached?: (namespace: string) => Violation | undefined;
  /** The Rollout that works for this workload: the oldest that names it. From the cache. */
  readonly rolloutFor: (namespace: string, kind: string, name: string) => Rollout | undefined;
  /** From the cache, which may hold only the Deployments that Rollouts name. */
  readonly deploymentFor: (namespace: string, name: string) => Deployment | undefined;
  /** Deployments of the namespace in a release. From the cache. */
  readonly heldIn?: (namespace: string) => readonly Deployment[];
  /** From the API server; undefined = it does not exist. Rejects when nobody answers in time. */
  readonly readDeployment?: (namespace: string, name: string) => Promise<Deployment | undefined>;
  /** Of the Deployment that controls this ReplicaSet, the name; asks the API server. Rejects when nobody answers in time. */
  readonly ownerOfReplicaSet?: (namespace: string, name: string) => Promise<string | undefined>;
  /** May this person take a release over that OpenKruise left? Asks the API server. Without it, nobody may. */
  readonly authorizeTakeover?: (approval: Approval) => Promise<readonly Violation[]>;
  /** May this person approve? The one decision that may ask the API server. Without it, whoever may write the status may. */
  readonly authorize?: (approval: Approval) => Promise<readonly Violation[]>;
  /** Without it there are no policies. */
  readonly policy?: PolicyDeps | undefined;
  /** Which releases are traced; without it none is. */
  readonly sampling?: Sampling;
  readonly onDecision?: (decided: Decided) => void;
  readonly metrics?: { readonly admission: (webhook: string, verdict: string, seconds: number) => void };
  readonly logger?: Logger;
}
