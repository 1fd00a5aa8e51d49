// The releases that pages show in full: their Pods and versions are watched while a page is open, and for a short time after it is closed.
import { CONTROLLER_REVISIONS, PODS, REPLICA_SETS, type Resource } from '../../api/resources.ts';
import type { ControllerRevision, Deployment, KubeObject, Pod, ReplicaSet, Rollout } from '../../api/types.ts';
import type { Children } from '../../engine/snapshot.ts';
import type { ChildKind } from '../../engine/workload/kind.ts';
import type { Calendar } from '../../engine/policy/windows.ts';
import { digest, sha256 } from '../../kube/digest.ts';
import { planAction, type PlannedAction } from '../../view/dashboard/actions.ts';
import { detailOf, type Surroundings } from '../../view/dashboard/detail.ts';
import type { ActionAsk, ActionName, ActionVerdict, ActionView, ReleaseDetail } from '../../view/dashboard/types.ts';
import { factsOf, factsWithout, kindFor, type Facts } from '../../view/facts.ts';
import { resourceOf } from '../../view/reference.ts';
import type { Feed } from './feed.ts';
import { Kept } from './kept.ts';

const RESOURCES: Readonly<Record<ChildKind, Resource>> = {
  replicaSets: REPLICA_SETS,
  pods: PODS,
  revisions: CONTROLLER_REVISIONS,
};

/** Going back and forth between pages does not list the Pods again. */
const LINGER_MS = 30_000;
const COALESCE_MS = 100;
/** Time alone changes what is shown: a Pod becomes available, a window opens. */
const AGAIN_MS = 5_000;
/** After this time, the API server is asked again if it could not say, or has refused: time, a policy or a new permission can change that. */
const ASK_AGAIN_MS = { unknown: 15_000, refused: 60_000 } as const;
/**
 * The dialogs of these ask (Acts.check), and not every state of the release: the webhooks ask the API server who may approve, for each dry run, and limit how
 * often they do for a namespace. These need the same right as `approve`, which is asked about.
 */
const LATER: ReadonlySet<ActionName> = new Set(['jump', 'finish']);

/** Asks the API server in a dry run. Undefined: the objects have changed meanwhile. */
export type Ask = (rollout: Rollout, action: PlannedAction) => Promise<ActionVerdict | undefined>;

export interface OpenedOptions {
  readonly feed: Feed;
  readonly calendar: Calendar;
  /** Absent with --read-only. */
  readonly ask?: Ask | undefined;
  /** How long a release is still watched after the last page has closed it. Default 30 s. */
  readonly lingerMs?: number;
}

export class Opened {
  private readonly options: OpenedOptions;
  private readonly releases = new Map<string, Release>();

  constructor(options: OpenedOptions) {
    this.options = options;
  }

  /** `show` gets each new state of the release; undefined if it does not exist. Returns a function that closes it. */
  open(key: string, show: (detail: ReleaseDetail | undefined) => void): () => void {
    let release = this.releases.get(key);
    if (!release) {
      release = new Release(this.options, key, () => this.releases.delete(key));
      this.releases.set(key, release);
    }
    return release.join(show);
  }

  get(key: string): Release | undefined {
    return this.releases.get(key);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.releases.values()].map((one) => one.stop()));
  }
}

class Release {
  private detail: ReleaseDetail | undefined;
  private seen: { readonly facts: Facts; readonly around: Surroundings } | undefined;
  private readonly options: OpenedOptions;
  private readonly feed: Feed;
  private readonly key: string;
  private readonly forget: () => void;
  private readonly viewers = new Set<(detail: ReleaseDetail | undefined) => void>();
  private readonly children = new Map<ChildKind, Kept<KubeObject>>();
  private readonly verdicts = new Map<string, { readonly at: number; readonly verdict: ActionVerdict }>();
  private readonly unlisten: () => void;
  private readonly timer: NodeJS.Timeout;
  /** The workload whose children are watched. */
  private uid: string | undefined;
  private text: string | undefined;
  private pending: NodeJS.Timeout | undefined;
  private leaving: NodeJS.Timeout | undefined;
  private asking = false;
  private ended = false;

  constructor(options: OpenedOptions, key: string, forget: () => void) {
    this.options = options;
    this.feed = options.feed;
    this.key = key;
    this.forget = forget;
    this.unlisten = this.feed.on(() => this.update());
    this.timer = setInterval(() => this.update(), AGAIN_MS);
    this.update();
  }

  join(show: (detail: ReleaseDetail | undefined) => void): () => void {
    clearTimeout(this.leaving);
    this.viewers.add(show);
    if (this.text !== undefined) show(this.detail);
    void this.askAll();
    return () => {
      this.viewers.delete(show);
      if (this.viewers.size === 0)
        this.leaving = setTimeout(() => void this.stop(), this.options.lingerMs ?? LINGER_MS);
    };
  }

  get rollout(): Rollout | undefined {
    return this.seen?.facts.rollout;
  }

  /** An action with its writes, from the newest objects. Undefined: the Rollout does not exist, or is not read yet. */
  plan(asked: Pick<ActionAsk, 'name' | 'step' | 'revision'>): PlannedAction | undefined {
    return this.seen && planAction(this.seen.facts, this.seen.around, asked);
  }

  async stop(): Promise<void> {
    this.ended = true;
    this.forget();
    this.unlisten();
    clearInterval(this.timer);
    clearTimeout(this.pending);
    clearTimeout(this.leaving);
    await this.follow(undefined, []);
  }

  private notice(): void {
    if (this.ended || this.pending) return;
    this.pending = setTimeout(() => {
      this.pending = undefined;
      this.update();
    }, COALESCE_MS);
  }

  private update(): void {
    if (this.ended || this.feed.overview === undefined) return;
    const rollout = this.feed.rollout(this.key);
    const workload = rollout && this.feed.workloadOf(rollout);
    void this.follow(workload, rollout ? kindFor(rollout).children : []);
    if (![...this.children.values()].every((one) => one.settled)) return;
    this.seen = rollout && { facts: this.facts(rollout, workload), around: this.around(rollout, workload) };
    this.detail = this.seen && detailOf(this.seen.facts, this.seen.around);
    this.publish();
    void this.askAll();
  }

  private publish(): void {
    const detail = this.detail && this.withVerdicts(this.detail);
    const text = JSON.stringify(detail) ?? 'gone';
    if (text === this.text) return;
    this.text = text;
    this.detail = detail;
    for (const show of this.viewers) show(detail);
  }

  private around(rollout: Rollout, workload: Deployment | undefined): Surroundings {
    const { feed } = this;
    const { namespace } = rollout.metadata;
    const unread = [...this.children.values()].filter(({ refused }) => refused).map(({ resource }) => resource);
    return {
      now: feed.options.now(),
      policies: feed.policiesFor(rollout, workload),
      rollouts: feed.rolloutsIn(namespace),
      plots: feed.plotsOf(this.key),
      gaps: [...feed.refused, ...unread].map(({ kind }) => `you may not list ${kind}s in namespace "${namespace}"`),
      hidesPods: this.children.get('pods')?.refused === true,
      hidesWorkload: feed.refused.includes(resourceOf(rollout)),
      calendar: this.options.calendar,
      digest,
      sha256,
    };
  }

  private facts(rollout: Rollout, workload: Deployment | undefined): Facts {
    if (!workload) return factsWithout(rollout);
    const now = this.feed.options.now();
    const list = <T extends KubeObject>(kind: ChildKind): T[] => (this.children.get(kind)?.items ?? []) as T[];
    const children: Children = {
      replicaSets: list<ReplicaSet>('replicaSets'),
      pods: list<Pod>('pods'),
      revisions: list<ControllerRevision>('revisions'),
    };
    return factsOf(rollout, workload, children, { now, digest });
  }

  /** Watches the children of this workload instead of those of the one before. */
  private async follow(workload: Deployment | undefined, kinds: readonly ChildKind[]): Promise<void> {
    const uid = workload?.metadata.uid;
    if (uid === this.uid) return;
    this.uid = uid;
    const before = [...this.children.values()];
    this.children.clear();
    const { namespace } = workload?.metadata ?? {};
    if (workload)
      for (const kind of kinds)
        this.children.set(
          kind,
          new Kept(this.feed.options.api, RESOURCES[kind], { namespace, selector: workload.spec.selector }, () =>
            this.notice(),
          ),
        );
    await Promise.all(before.map((one) => one.stop()));
  }

  private withVerdicts(detail: ReleaseDetail): ReleaseDetail {
    const approve = detail.actions.find(({ name }) => name === 'approve');
    const forAll = approve?.possible ? this.verdicts.get(idOf(approve)) : undefined;
    const actions = detail.actions.map((action): ActionView => {
      const { name, possible } = action;
      const known = this.verdicts.get(idOf(action));
      // Without the right, none of them is possible.
      const verdict = LATER.has(name)
        ? forAll && lacksRight(forAll.verdict)
          ? forAll.verdict
          : undefined
        : known?.verdict;
      return possible && verdict ? { ...action, verdict } : action;
    });
    return { ...detail, actions };
  }

  /** Asks about each action that is possible and not asked about yet, one after another. */
  private async askAll(): Promise<void> {
    const { ask } = this.options;
    const actions = this.detail?.actions;
    if (!ask || !actions || this.asking || this.ended || this.viewers.size === 0) return;
    this.asking = true;
    try {
      const due = actions.filter((one) => one.possible && !LATER.has(one.name) && this.isDue(one));
      for (const { name } of due) {
        const planned = this.plan({ name });
        const { rollout } = this;
        if (this.ended || !planned?.view.possible || !rollout) continue;
        const verdict = await ask(rollout, planned);
        if (verdict) this.verdicts.set(idOf(planned.view), { at: Date.now(), verdict });
      }
      const current = new Set(this.detail?.actions.map(idOf));
      for (const id of this.verdicts.keys()) if (!current.has(id)) this.verdicts.delete(id);
    } finally {
      this.asking = false;
    }
    if (!this.ended) this.publish();
  }

  private isDue(action: ActionView): boolean {
    const known = this.verdicts.get(idOf(action));
    if (known === undefined) return true;
    const { at, verdict } = known;
    return !verdict.allowed && Date.now() - at > ASK_AGAIN_MS[verdict.unknown === true ? 'unknown' : 'refused'];
  }
}

const idOf = ({ name, version }: ActionView): string => `${name} ${version}`;

const lacksRight = (verdict: ActionVerdict): boolean => !verdict.allowed && verdict.why.startsWith('you may not: ');
