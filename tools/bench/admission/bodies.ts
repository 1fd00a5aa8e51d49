// The reviews to send: recorded ones (test/admission/fixtures), for Deployments with Rollouts in the cluster.
import { readFileSync } from 'node:fs';
import * as keys from '../../../src/api/keys.ts';
import type { Deployment } from '../../../src/api/types.ts';
import { mutateWorkload } from '../../../src/admission/webhooks/workload.ts';
import { readReview, writeReview, type Answer } from '../../../src/admission/review.ts';
import { aRollout, atOnce, someDeps, type Json } from '../../../test/admission/support.ts';
import { applyOps } from '../../../test/support/json-patch.ts';

export type Kind = 'pass' | 'hold' | 'refuse';
export const KINDS: readonly Kind[] = ['pass', 'hold', 'refuse'];

/** A typical size of reviews in real clusters. */
export const BODY_BYTES = 14_000;

/** Number of Deployments for each kind of review. Consecutive reviews are for different Deployments. */
const DEPLOYMENTS = 16;

export interface Body {
  /** The JSON of the review. */
  readonly text: string;
  /** Text that the answer must contain, and its size. */
  readonly answer: string;
  readonly answerBytes: number;
  /** The Deployment as it must be in the cluster. All of them have the same template. */
  readonly deployment: Deployment;
}

/** The state that the Rollout must have for this kind of review. */
export const rolloutFor = (name: string, namespace: string): Json => ({
  apiVersion: 'rollouts.kruise.io/v1beta1',
  kind: 'Rollout',
  metadata: { name, namespace },
  spec: {
    workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    strategy: { canary: { steps: [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }] } },
  },
});

interface Review {
  readonly request: { readonly name: string; readonly object: Deployment; readonly oldObject: Deployment };
}

const recorded = (file: string): Review => {
  const { reviews } = JSON.parse(
    readFileSync(new URL(`../../../test/admission/fixtures/${file}.json`, import.meta.url), 'utf8'),
  ) as { reviews: Review[] };
  return reviews[0]!;
};

type Edit = (deployment: Deployment, which: 'object' | 'oldObject') => Deployment;

const edited = (review: Review, edit: Edit): Review => ({
  ...review,
  request: {
    ...review.request,
    oldObject: edit(review.request.oldObject, 'oldObject'),
    object: edit(review.request.object, 'object'),
  },
});

const enrolled: Edit = (deployment) => ({
  ...deployment,
  metadata: { ...deployment.metadata, labels: { ...deployment.metadata.labels, [keys.WORKLOAD_TYPE]: 'deployment' } },
});

/** The review with more environment variables in the old and the new object, up to the given size. */
function grown(review: Review, bytes: number): Review {
  const extra: Json[] = [];
  const withExtra = (): Review =>
    edited(review, (deployment) => {
      const copy = structuredClone(deployment) as unknown as {
        spec: { template: { spec: { containers: { env?: Json[] }[] } } };
      };
      const [container] = copy.spec.template.spec.containers;
      container!.env = [...(container!.env ?? []), ...extra];
      return copy as unknown as Deployment;
    });
  const missing = bytes - JSON.stringify(review).length;
  for (let added = 0; added < missing; added += 2 * JSON.stringify(extra.at(-1)).length + 2) {
    const i = extra.length;
    extra.push({ name: `SETTING_${i}`, value: `https://service-${i}.example.com:8443/path?timeout=${i}s` });
  }
  return withExtra();
}

/** The review for a Deployment with this name. */
const named = (review: Review, name: string): Review => {
  const { request } = edited(review, (deployment) => ({
    ...deployment,
    metadata: { ...deployment.metadata, name },
  }));
  return { ...review, request: { ...request, name } };
};

const made = new Map<string, Body>();

/** A review of about this size for a Deployment with this name. */
function bodyOf(kind: Kind, name: string, bytes: number): Body {
  let body = made.get(name);
  if (body) return body;
  const file = kind === 'pass' ? '10-kubectl-label' : '02-kubectl-patch-strategic-env';
  const review = named(grown(edited(recorded(file), enrolled), bytes), name);
  const sent = kind === 'refuse' ? refused(review) : review;
  const text = JSON.stringify(sent);
  const answer = kind === 'hold' ? '"patch"' : `"allowed":${kind === 'pass'}`;
  made.set(name, (body = { text, answer, answerBytes: answerTo(sent), deployment: review.request.oldObject }));
  return body;
}

/** Reviews that alternate between the kinds and between all Deployments. */
export const bodiesOf = (...kinds: readonly Kind[]): Body[] =>
  Array.from({ length: DEPLOYMENTS }, (_, i) => kinds.map((kind) => bodyOf(kind, `${kind}-${i}`, BODY_BYTES))).flat();

/** A review that starts a release. */
export const bodyOfSize = (bytes: number): Body => bodyOf('hold', `hold-of-${bytes}`, bytes);

function decided(review: Review): Answer {
  const rollout = { ...aRollout(1, '50%', '100%'), ...rolloutFor(review.request.name, 'default') };
  return atOnce(mutateWorkload(readReview(review), someDeps({ rollouts: [rollout as never] })));
}

/** Size of the program's answer. */
const answerTo = (review: Review): number => JSON.stringify(writeReview('', decided(review))).length;

/** A review that sets the strategy Recreate during a release. */
function refused(review: Review): Review {
  const { patch = [] } = decided(review);
  const held = applyOps(review.request.object, patch);
  return edited(review, (_, which) =>
    which === 'oldObject' ? held : { ...held, spec: { ...held.spec, strategy: { type: 'Recreate' } } },
  );
}
