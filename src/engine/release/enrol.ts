// Preparation of a Rollout and its workload: the finalizer, the digest of the plan, and the enrolment label.
import {
  APPROVED,
  GLASS_BROKEN,
  HELD,
  PLAN_CHANGED,
  PLAN_HASH,
  ROLLOUT_FINALIZER,
  WORKLOAD_TYPE,
} from '../../api/keys.ts';
import type { CanaryStrategy, Workload } from '../../api/types.ts';
import { patchObject, patchRollout } from '../workload/effects.ts';
import type { WorkloadKind } from '../workload/kind.ts';
import { canonicalJson } from '../lib/template.ts';
import { nothing, type Decision, type EventNote } from '../decision.ts';
import type { Snapshot } from '../snapshot.ts';
import { advise } from '../validate/advice.ts';

/** Adds the finalizer, so that no workload stays held without its Rollout, and the digest of the plan for clients. */
export function guard({ rollout, workload, sha256 }: Snapshot): Decision | undefined {
  const finalizers = rollout.metadata.finalizers ?? [];
  const hash = planHash(rollout.spec.strategy.canary ?? NO_PLAN, sha256);
  const inRelease = rollout.status?.phase === 'Progressing' || workload?.metadata.annotations?.[HELD] !== undefined;
  const stale = inRelease ? [] : OF_A_RELEASE.filter((key) => rollout.metadata.annotations?.[key] !== undefined);
  const annotations = {
    ...(rollout.metadata.annotations?.[PLAN_HASH] === hash ? {} : { [PLAN_HASH]: hash }),
    ...Object.fromEntries(stale.map((key) => [key, null])),
  };
  const wanted = {
    ...(finalizers.includes(ROLLOUT_FINALIZER) ? {} : { finalizers: [...finalizers, ROLLOUT_FINALIZER] }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  if (Object.keys(wanted).length === 0) return undefined;
  return { ...nothing, effects: [patchRollout('finalizer', rollout, wanted)] };
}

/** Annotations of the webhook about one release. They are removed after it. */
const OF_A_RELEASE = [GLASS_BROKEN, APPROVED, PLAN_CHANGED];

const NO_PLAN: CanaryStrategy = {};
/** Stored objects are frozen, so the digest of each plan is computed once. */
const planHashes = new WeakMap<CanaryStrategy, string>();

function planHash(canary: CanaryStrategy, sha256: Snapshot['sha256']): string {
  let hash = planHashes.get(canary);
  if (hash === undefined) planHashes.set(canary, (hash = sha256(canonicalJson(planOf(canary)))));
  return hash;
}

/** As in OpenKruise, pauses and the failure threshold are not part of the plan. */
function planOf(canary: CanaryStrategy): unknown {
  const { failureThreshold: _, steps, ...rest } = canary;
  return { ...rest, steps: steps?.map(({ pause: __, ...step }) => step) };
}

/** Adds the enrolment label. Admission knows only labelled workloads, so warnings about the steps on this one are events. */
export function enrol({ rollout }: Snapshot, kind: WorkloadKind, workload: Workload): Decision {
  const effects = patchObject('enrol', kind.resource, workload, { labels: { [WORKLOAD_TYPE]: kind.workloadType } });
  if (kind.obstacle(workload)) return { ...nothing, effects };
  const said = new Set(advise({ rollout }));
  const advice = kind.advise(rollout, workload).filter((sentence) => !said.has(sentence));
  const events: EventNote[] = [
    { reason: 'Enrolled', message: 'changes of the Pod template are released in steps' },
    ...advice.map((sentence): EventNote => ({ reason: 'Advice', message: sentence.replace(/^tranche: /, '') })),
  ];
  return { ...nothing, effects, events };
}
