// What differs between the kinds of workloads that are held with a partition: where their fields are, and what a partition means.
import { isObject } from '../../../api/json.ts';
import type { Resource } from '../../../api/resources.ts';
import type { IntOrString, LabelSelector, Pod, Workload } from '../../../api/types.ts';
import type { Borrowed } from '../edits.ts';
import type { Limits } from '../../lib/replicas.ts';
import type { Counted, Obstacle } from '../kind.ts';

/** A workload whose controller updates Pods beyond a partition. The fields of its update strategy differ between kinds. */
export interface Partitioned extends Workload {
  readonly spec: Workload['spec'] & {
    readonly updateStrategy?: UpdateStrategy & { readonly rollingUpdate?: UpdateStrategy };
    /** `OrderedReady` if absent. */
    readonly podManagementPolicy?: string;
    /** Ordinals without a Pod: numbers, and ranges such as "3-5". */
    readonly reserveOrdinals?: readonly IntOrString[];
    readonly ordinals?: { readonly start?: number };
  };
  readonly status?: Workload['status'] & {
    /** Name of the ControllerRevision of the template. */
    readonly updateRevision?: string;
    /** Name of the ControllerRevision that Pods below the partition get when they are created again. */
    readonly currentRevision?: string;
    /** Of an Advanced DaemonSet: the hash of the template's ControllerRevision, and the number of nodes that should run a Pod. */
    readonly daemonSetHash?: string;
    readonly desiredNumberScheduled?: number;
    /** Number of nodes that should not run a Pod, but do. */
    readonly numberMisscheduled?: number;
  };
}

export interface UpdateStrategy {
  readonly type?: string;
  readonly partition?: IntOrString;
  readonly paused?: boolean;
  readonly maxUnavailable?: IntOrString;
  readonly maxSurge?: IntOrString;
  readonly minReadySeconds?: number;
  readonly unorderedUpdate?: object;
  readonly selector?: LabelSelector;
}

export type Field = 'partition' | 'paused';

export interface PartitionShape {
  readonly resource: Resource;
  /** Value of the enrolment label. */
  readonly workloadType: string;
  /** The path in the spec to the map with the borrowed fields. */
  readonly at: readonly string[];
  /** The borrowed fields. */
  readonly borrows: readonly Field[];
  /** The partition that keeps every Pod, also after scaling up. */
  readonly all: IntOrString;
  /** A partition may be a percentage. */
  readonly percent: boolean;
  /** Number of Pods that keep the old version. */
  kept(partition: IntOrString | null, replicas: number): number;
  /** The partition with which so many Pods, fewer than `replicas`, keep the old version. */
  keeping(pods: number, replicas: number): IntOrString;
  replicas(workload: Partitioned): number;
  /** The numbers of Pods in its status, if they are in other fields than those of a Deployment. */
  counted?(workload: Partitioned): Counted;
  minReadySeconds(workload: Partitioned): number;
  /** A release of a workload without Pods: what it waits for. Absent: it has 0 replicas. */
  readonly none?: string;
  /** The order of updates: Pods at or above the partition are updated. Undefined if the controller chooses the Pods. */
  indexIn(workload: Partitioned): ((pod: Pod) => number) | undefined;
  /** When the controller updates no Pod because others are not Ready. Undefined: never. */
  blocks(workload: Partitioned, replicas: number): Blocks | undefined;
  /** The hash of a version, from the name of its ControllerRevision or the label of a Pod. */
  hashIn(text: string): string;
  /** Name or hash of the ControllerRevision of the template. */
  updateRevision(workload: Partitioned): string | undefined;
  /** Pods that the user's partition keeps, and that are created again, get the version of the template. */
  isCurrent(workload: Partitioned, updateRevision: string | undefined): boolean;
  /** Why Pods beyond a step may start with the new version. Completes "because". */
  readonly startsNew: string;
  limits(workload: Partitioned, replicas: number): Limits;
  obstacle(workload: Partitioned): Obstacle | undefined;
}

export interface Blocks {
  /** So many Pods that are not Ready. */
  readonly from: number;
  /** The rule, for messages: `podManagementPolicy OrderedReady`. */
  readonly rule: string;
  /** Where it is described: `kubernetes#67250`. */
  readonly known: string;
}

/** A number of Pods above that of any workload. */
export const EVERY = 2_147_483_647;

export const strategyOf = (shape: PartitionShape, workload: Partitioned): UpdateStrategy => {
  const map = shape.at.reduce<unknown>(fieldIn, workload.spec);
  return isObject(map) ? (map as UpdateStrategy) : {};
};

/** The current values of the borrowed fields. Null if absent. */
export const borrowedIn = (shape: PartitionShape, workload: Partitioned): Borrowed => {
  const strategy = strategyOf(shape, workload);
  return Object.fromEntries(shape.borrows.map((field) => [field, strategy[field] ?? null]));
};

/** Part of a merge patch of the spec. */
export const specPatch = (shape: PartitionShape, values: object): Readonly<Record<string, unknown>> =>
  shape.at.reduceRight<object>((inner, key) => ({ [key]: inner }), values) as Readonly<Record<string, unknown>>;

const mapsIn = ({ at }: PartitionShape, spec: unknown): readonly unknown[] =>
  at.reduce<unknown[]>((found, key) => [...found, fieldIn(found.at(-1), key)], [spec]);

/** Number of the maps around the borrowed fields that are absent. A hold makes them. */
export const absentMaps = (shape: PartitionShape, spec: unknown): number =>
  mapsIn(shape, spec).filter((map) => !isObject(map)).length;

/**
 * The path in the spec of the outermost map that a hold has made and that is empty without the borrowed fields. Undefined if there is none. `made`:
 * number of the maps that the hold has made.
 */
export function hollow(shape: PartitionShape, spec: unknown, made = 0): readonly string[] | undefined {
  const { at, borrows } = shape;
  const maps = mapsIn(shape, spec);
  let fields: readonly string[] = borrows;
  let path: readonly string[] | undefined;
  for (let depth = at.length; depth > at.length - made; depth--) {
    const map = maps[depth];
    if (!isObject(map) || Object.keys(map).some((key) => !fields.includes(key))) break;
    path = at.slice(0, depth);
    fields = path.slice(-1);
  }
  return path;
}

const fieldIn = (map: unknown, key: string): unknown =>
  isObject(map) && Object.hasOwn(map, key) ? map[key] : undefined;

export const pathOf = (shape: PartitionShape, field: Field): string => ['spec', ...shape.at, field].join('.');

export const hasPause = ({ borrows }: PartitionShape): boolean => borrows.includes('paused');

/**
 * The label of a Pod has the name of its ControllerRevision or only the hash at its end: that depends on the kind, and for CloneSets on a feature gate
 * of OpenKruise.
 */
export const hashAtEnd = (name: string): string => name.slice(name.lastIndexOf('-') + 1);
