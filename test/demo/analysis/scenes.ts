// The demo of the analysis, scene by scene: commands, and what must follow from them by itself.
import type { Deployment, Rollout } from '../../../src/api/types.ts';
import { plural } from '../../../src/engine/lib/text.ts';
import { PromiseBroken } from '../../e2e/observe.ts';
import type { Counted } from '../../support/load.ts';
import { mostBad, NAME, REPLICAS, rolloutManifest, sourceManifest, VERSIONS, workloadManifest } from './manifests.ts';

export interface Seen {
  readonly deployment: Deployment | undefined;
  readonly rollout: Rollout | undefined;
  /** Ready Pods by version, without those that end. */
  readonly pods: Readonly<Record<string, number>>;
}

/** Where it is played: a test is silent, the demo shows everything. */
export interface Stage {
  readonly namespace: string;
  /** Address of Prometheus. Undefined: the checks read metrics.k8s.io. */
  readonly prometheus: string | undefined;
  /** Runs kubectl as the user would type it. Rejects when it fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  look(): Promise<Seen>;
  /** Starts the requests to the Service. */
  startLoad(): Promise<void>;
  counted(): Counted;
  say(text: string): void;
}

export interface Scene {
  readonly title: string;
  readonly play: (stage: Stage) => Promise<void>;
}

interface Expectation {
  /** The end of a sentence. */
  readonly expected: string;
  readonly reached: (seen: Seen) => boolean;
  /** Must hold at every look; returns what is wrong. */
  readonly always?: (seen: Seen) => string | undefined;
}

const LOOK_EVERY_MS = 200;
const PATIENCE_MS = 180_000;

async function expect(stage: Stage, { expected, reached, always }: Expectation): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await stage.look();
    const wrong = always?.(seen);
    if (wrong !== undefined) throw new PromiseBroken(`expected ${expected}, but ${wrong}`);
    if (reached(seen)) return;
    if (Date.now() > deadline)
      throw new PromiseBroken(
        `expected ${expected} within ${PATIENCE_MS / 1000} s, but saw Pods ${JSON.stringify(seen.pods)}; ` +
          `${seen.rollout?.status?.message ?? 'no message'}`,
      );
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

const sourceOf = ({ prometheus }: Stage) => (prometheus === undefined ? 'kubernetes' : 'prometheus');

const apply = (stage: Stage, manifest: string): Promise<string> => stage.kubectl(['apply', '-f', '-'], manifest);

const release = ({ kubectl, namespace }: Stage, version: string): Promise<string> =>
  kubectl(['set', 'image', `deployment/${NAME}`, `web=${NAME}:${version}`, '-n', namespace]);

/** All Pods have this version, and no release is in progress. */
const runs =
  (version: string) =>
  ({ pods, rollout }: Seen): boolean =>
    pods[version] === REPLICAS && Object.keys(pods).length === 1 && rollout?.status?.phase === 'Healthy';

/** The version of the Pod template. */
const wanted = ({ deployment }: Seen): string | undefined => {
  const spec = deployment?.spec.template.spec as
    { readonly containers?: readonly { readonly image?: string }[] } | undefined;
  return spec?.containers?.[0]?.image?.split(':')[1];
};

const notMore =
  (most: number, version: string) =>
  ({ pods }: Seen): string | undefined =>
    (pods[version] ?? 0) > most
      ? `there are ${pods[version]} Pods of ${version}, and ${most} at most may be`
      : undefined;

export const SCENES: readonly Scene[] = [
  {
    title: 'ten Pods of v1 serve, and users send requests to them',
    async play(stage) {
      await apply(stage, workloadManifest(stage.namespace));
      await expect(stage, { expected: 'ten Pods of v1', reached: ({ pods }) => pods['v1'] === REPLICAS });
      await stage.startLoad();
    },
  },
  {
    title: 'a Rollout has a check',
    async play(stage) {
      if (stage.prometheus !== undefined) await apply(stage, sourceManifest(stage.prometheus));
      await apply(stage, rolloutManifest(stage.namespace, sourceOf(stage)));
      await expect(stage, { expected: 'the Rollout to be Healthy', reached: runs('v1') });
    },
  },
  {
    title: 'a good version goes through its steps by itself',
    async play(stage) {
      const { good } = VERSIONS[sourceOf(stage)];
      await release(stage, good);
      await expect(stage, { expected: `ten Pods of ${good}, without an approval`, reached: runs(good) });
      await status(stage);
    },
  },
  {
    title: 'a bad version is stopped at its first step, and the good one comes back',
    async play(stage) {
      const { good, bad } = VERSIONS[sourceOf(stage)];
      const always = notMore(mostBad(sourceOf(stage)), bad);
      await release(stage, bad);
      if (stage.prometheus === undefined) {
        await expect(stage, {
          expected: `the release of ${bad} to be stopped`,
          reached: ({ rollout }) =>
            rollout?.status?.canaryStatus?.analysis?.some(({ verdict }) => verdict === 'Worse') === true,
          always,
        });
        await status(stage);
        stage.say('– values of single Pods hold a release and do not roll it back. A person decides:');
        await stage.kubectl(['tranche', 'abort', NAME, '-n', stage.namespace]);
      } else await expect(stage, { expected: `${good} again`, reached: (seen) => wanted(seen) === good, always });
      await expect(stage, { expected: `ten Pods of ${good}`, reached: runs(good), always });
      await status(stage);
      stage.say(harm(stage.counted(), bad));
    },
  },
];

const status = ({ kubectl, namespace }: Stage): Promise<string> =>
  kubectl(['tranche', 'status', NAME, '-n', namespace]);

/** What users have noticed of the bad version. */
export function harm({ answers, failed }: Counted, version: string): string {
  const sum = (codes: Readonly<Record<number, number>> = {}): number =>
    Object.values(codes).reduce((total, count) => total + count, 0);
  const all = Object.values(answers).reduce((total, codes) => total + sum(codes), 0);
  const bad = Object.values(answers).reduce((total, codes) => total + (codes[500] ?? 0), 0);
  const share = all === 0 ? 0 : (100 * bad) / all;
  return (
    `${version} answered ${sum(answers[version])} of ${all} requests. ` +
    `${bad} answers in all were errors (${share.toFixed(2)} %); ${plural(failed, 'request')} had no answer.`
  );
}
