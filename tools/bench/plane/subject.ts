// The interface of a program that the bench measures: Tranche, or another one to compare. Each has a file subject-NAME.ts.
import type { KubeObject } from '@tranche/sandbox/types';
import type { Resource } from '../../../src/api/resources.ts';
import type { ApiCall } from '../../../src/kube/api.ts';
import type { ApiClient } from '../../../src/kube/client.ts';
import type { Own } from './audit.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Place } from './objects.ts';
import type { SeenRollout } from './releases.ts';

export interface Subject {
  /** The user and the name of the program in the counts of requests. */
  readonly own: Own;
  /** Does one thread do most of the work, so that its wake-ups are those of the program? */
  readonly hasMainThread: boolean;
  /** What is released, unless the Rollout has Pods itself. It exists before the Rollout. */
  readonly deployment?: (place: Place, replicas: number) => object;
  readonly rollouts: Resource;
  readonly rollout: (place: Place, replicas: number) => object;
  /** The request that releases a version. */
  readonly release: (place: Place, version: string) => ApiCall;
  /** What the status of a Rollout says. Pure. */
  readonly seen: (rollout: KubeObject) => SeenRollout;
  /** Installs the program, and starts it. Resolves when it is ready. */
  readonly start: (plane: ControlPlane, api: ApiClient) => Promise<RunningProgram>;
}

/** A program that is no version of this one. */
export interface Peer extends Subject {
  /** With its version. */
  readonly name: string;
  /** How it is run, in sentences. */
  readonly how: string;
}

export interface RunningProgram {
  readonly pid: number;
  stop(): Promise<void>;
}
