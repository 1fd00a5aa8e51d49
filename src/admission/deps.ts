// The dependencies of the admission server: lookups in the caches, the operator's user, and reports.
import type { ReleasePolicy } from '../api/policy.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { Rollout, Workload } from '../api/types.ts';
import type { Decided, PolicyReport, Requester } from '../engine/admit/decision.ts';
import type { DeploymentInRelease } from '../engine/admit/replicaset.ts';
import type { Right, RoutedObjects } from '../engine/admit/routing.ts';
import type { RouteRivals } from '../engine/admit/traffic-routing.ts';
import type { TrafficAsk } from '../engine/traffic/facts.ts';
import type { Labels } from '../engine/policy/policy.ts';
import type { Calendar } from '../engine/policy/windows.ts';
import type { Sampling } from '../engine/trace/trace.ts';
import type { Violation } from '../engine/validate/violation.ts';
import type { WorkloadKind } from '../engine/workload/kind.ts';
import type { Logger } from '../kube/log.ts';
import type { PeerCheck } from './peer.ts';

export type { Decided, PolicyReport };

/** PEM. */
export interface KeyPair {
  readonly key: string;
  readonly cert: string;
}

/** The dependencies for policies. All lookups use caches. */
export interface PolicyDeps {
  /** Policies that select a workload in the namespace with any of these label sets. Without label sets, policies that select the namespace. */
  readonly policiesFor: (namespace: string, workloadLabels: readonly Labels[]) => readonly ReleasePolicy[];
  /** Number of workloads in the namespace with a release in progress, except this one. */
  readonly inFlight: (namespace: string, except: string, kind: WorkloadKind) => number;
  readonly calendar: Calendar;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly report?: (report: PolicyReport) => void;
}

/** An approval or takeover by a user. */
export interface Approval {
  readonly rollout: Rollout;
  readonly user: string;
  readonly groups: readonly string[];
  readonly dryRun: boolean;
}

export interface AdmissionDeps {
  /** The initial certificate. `reload` replaces it. */
  readonly tls: KeyPair;
  /** Checks the client certificates of callers. Without it, all callers are answered. */
  readonly peers?: () => PeerCheck;
  /** The username that the operator's own requests carry. */
  readonly operatorUser: string;
  /** Warnings are enabled. */
  readonly warnings: boolean;
  /** What is missing before decisions are possible, for example a cache. Undefined if nothing is. */
  readonly notReady: () => string | undefined;
  /** Why changes in a namespace are not held. Without it, the webhooks select all namespaces. */
  readonly unreached?: (namespace: string) => Violation | undefined;
  /** The Rollout that governs this workload: the oldest that names it. From the cache. */
  readonly rolloutFor: (namespace: string, kind: WorkloadKind, name: string) => Rollout | undefined;
  /** From the cache, which may contain only workloads that Rollouts name. */
  readonly workloadFor: (kind: WorkloadKind, namespace: string, name: string) => Workload | undefined;
  /** Deployments in the namespace with a release in progress. From the cache. */
  readonly releasesIn?: (namespace: string) => readonly DeploymentInRelease[];
  /** From the API server. Undefined if it does not exist. Rejects on a timeout. */
  readonly readWorkload?: (kind: WorkloadKind, namespace: string, name: string) => Promise<Workload | undefined>;
  /** Name of the Deployment that controls this ReplicaSet, from the API server. Rejects on a timeout. */
  readonly ownerOfReplicaSet?: (namespace: string, name: string) => Promise<string | undefined>;
  /** The installation changes routes. */
  readonly gatewayApi?: boolean;
  /** Rollouts in the namespace that route the route or the Service of this one, and this one. From the cache. */
  readonly routersOf?: (rollout: Rollout) => readonly Rollout[];
  /** What changes a route, `<namespace>/<kind>/<name>`. From the caches. */
  readonly rivalsOf?: (route: string) => RouteRivals;
  /** The TrafficRouting. Null if it does not exist, undefined if that is not known. From the cache. */
  readonly routingFor?: (namespace: string, name: string) => TrafficRoutingObject | null | undefined;
  /** The rights that the requester does not have, from the API server. Rejects on a timeout. */
  readonly lacking?: (rights: readonly Right[], by: Requester, namespace: string) => Promise<readonly Violation[]>;
  /**
   * What a Rollout routes requests with, from the API server. Rejects on a timeout, and if the namespace has caused too many questions, unless this
   * one `isCounted` already.
   */
  readonly readRouted?: (names: TrafficAsk, namespace: string, isCounted: boolean) => Promise<RoutedObjects>;
  /** Checks the verb takeover at the API server. Without it, nobody can take over. */
  readonly authorizeTakeover?: (approval: Approval) => Promise<readonly Violation[]>;
  /** Checks the verb approve at the API server. Without it, users who can write the status can approve. */
  readonly authorize?: (approval: Approval) => Promise<readonly Violation[]>;
  /** Without it, there are no policies. */
  readonly policy?: PolicyDeps | undefined;
  /** Which releases are traced. Without it, none. */
  readonly sampling?: Sampling;
  readonly onDecision?: (decided: Decided) => void;
  readonly metrics?: { readonly admission: (webhook: string, verdict: string, seconds: number) => void };
  readonly logger?: Logger;
}
