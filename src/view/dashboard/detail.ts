// One release with everything that the dashboard shows about it.
import { CHANGED_BY, ROLLOUT_ID } from '../../api/keys.ts';
import type { ReleasePolicy } from '../../api/policy.ts';
import type { Rollout } from '../../api/types.ts';
import type { DigestOf, Sha256 } from '../../engine/lib/template.ts';
import type { Calendar } from '../../engine/policy/windows.ts';
import { experienceOf } from '../../engine/steps/plan.ts';
import type { Version } from '../../engine/workload/kind.ts';
import { versionsOf, type Facts } from '../facts.ts';
import { imagesIn } from '../rows.ts';
import { experienceInWords } from '../words.ts';
import { actionViews } from './actions.ts';
import { batchesOf } from './batches.ts';
import { checkPanels } from './checks.ts';
import { diffOf } from './diff.ts';
import { figuresView } from './figures.ts';
import { historyItems } from './history.ts';
import type { Plots } from './plots.ts';
import { podsOfRelease, versionOf, type PodsOfRelease } from './pods.ts';
import { policiesView } from './policies.ts';
import { rowOf } from './row.ts';
import { at, first, LONGEST, optional, text } from './text.ts';
import type { ReleaseDetail, RunningRelease, VersionView } from './types.ts';
import { nextStepOf, waitsOf } from './waits.ts';

/** What the view of one release needs beside the objects of the release. */
export interface Surroundings {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The policies that select the workload (policiesAmong). Undefined if the user may not read them. */
  readonly policies: readonly ReleasePolicy[] | undefined;
  /** Other Rollouts of the namespace: one of them may govern the same workload. */
  readonly rollouts: readonly Rollout[];
  /** The points of the checks so far (withPoints). Undefined if there are none. */
  readonly plots: Plots | undefined;
  /** What the dashboard could not read, in words. */
  readonly gaps: readonly string[];
  /** The user may not list Pods: none is drawn, and none counts as missing. */
  readonly hidesPods?: boolean;
  /** The user may not list the workloads of this kind: it is not known whether there is one. */
  readonly hidesWorkload?: boolean;
  readonly calendar: Calendar;
  readonly digest: DigestOf;
  readonly sha256: Sha256;
}

const MOST = { versions: 20, images: 10, gaps: 20 } as const;

export function detailOf(facts: Facts, around: Surroundings): ReleaseDetail {
  const { rollout, deployment } = facts;
  const { now, policies, plots } = around;
  const row = rowOf(rollout, deployment);
  const release = runningRelease(facts);
  const waits = waitsOf(facts, row, policies);
  const next = nextStepOf(facts, policies);
  const diff = diffOf(facts);
  const pods = around.hidesPods === true ? undefined : podsOfRelease(facts, now);
  const releasing = rollout.status?.phase === 'Progressing';
  return {
    row,
    ...(release && { release }),
    ...(waits && { waits }),
    ...(next && { next }),
    ...batchesOf(facts, pods),
    versions: versionViews(facts, pods),
    checks: releasing ? checkPanels(rollout, plots) : [],
    ...(diff && { diff }),
    policies: policiesView(facts, policies, around),
    history: historyItems(facts),
    figures: figuresView([rollout.status?.history ?? []], now),
    actions: actionViews(facts, around),
    gaps: first(around.gaps, MOST.gaps).map((gap) => text(gap, LONGEST.message)),
  };
}

function runningRelease({ rollout, deployment }: Facts): RunningRelease | undefined {
  const { status } = rollout;
  if (!deployment || status?.phase !== 'Progressing') return undefined;
  const experience = experienceOf(status.history);
  const words = experience && experienceInWords(experience);
  return {
    ...optional('id', deployment.metadata.labels?.[ROLLOUT_ID], LONGEST.word),
    ...optional('author', deployment.metadata.annotations?.[CHANGED_BY], LONGEST.name),
    ...at('startedAt', status.history?.[0]?.startTime),
    ...(words && { expected: `about ${words.took}, ${words.of}` }),
  };
}

/** The new version, then the others that have Pods. */
function versionViews({ view }: Facts, found: PodsOfRelease | undefined): VersionView[] {
  if (view === undefined) return [];
  const shown = versionsOf(view).filter((version) => version === view.newVersion || version.replicas > 0);
  const viewOf = (version: Version): VersionView => ({
    version: versionOf(version, view),
    keeper: text(`${view.kind.words.keeper} ${version.keeper.metadata.name}`, LONGEST.name),
    ...optional('revision', version.number, LONGEST.word),
    images: first(imagesIn(version.template), MOST.images).map((image) => text(image, LONGEST.name)),
    pods: version.replicas,
    available: found?.available.get(version) ?? version.available,
  });
  return first(shown, MOST.versions).map(viewOf);
}
