// What kubectl and Helm really send (fixtures/, recorded on the embedded cluster by tools/record-reviews.ts), and what becomes of it.
// ADMISSION_REVIEWS=FOLDER runs the same table over reviews recorded elsewhere.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as keys from '../../src/api/keys.ts';
import type { Deployment, Rollout } from '../../src/api/types.ts';
import { mutateWorkload } from '../../src/admission/webhooks/workload.ts';
import type { AdmissionDeps } from '../../src/admission/deps.ts';
import { readReview, type Answer } from '../../src/admission/review.ts';
import type { AdmissionRequest } from '../../src/admission/shapes.ts';
import type { Verdict } from '../../src/engine/admit/edit.ts';
import { readHeld, settingsOf } from '../../src/engine/workload/deployment/hold.ts';
import { applyOps } from '../support/json-patch.ts';
import { aRollout, atOnce, atRest, OPERATOR, someDeps, type Json } from './support.ts';

const folder = process.env['ADMISSION_REVIEWS'] ?? join(import.meta.dirname, 'fixtures');

type Expected = readonly [idle: Verdict, held: Verdict];
const RELEASE: Expected = ['Held', 'Superseded'];
const NOTHING: Expected = ['Passed', 'Passed'];

/** The verdict on a Deployment at rest, and on the same edit in the middle of a release. One row for each different edit of an action. */
const actions: Readonly<Record<string, readonly Expected[]>> = {
  '01-kubectl-create': [['Enrolled', 'Enrolled']],
  '02-kubectl-patch-strategic-env': [RELEASE],
  '03-kubectl-apply-changed': [RELEASE],
  '04-kubectl-set-image': [RELEASE],
  '05-kubectl-rollout-restart': [RELEASE],
  '06-kubectl-rollout-undo': [RELEASE],
  '07-kubectl-rollout-pause': [NOTHING],
  '08-kubectl-rollout-resume': [['Passed', 'Kept']],
  '09-kubectl-scale': [NOTHING],
  '10-kubectl-label': [NOTHING],
  '11-kubectl-annotate': [NOTHING],
  '12-kubectl-apply-server-side-changed': [RELEASE, NOTHING],
  '13-kubectl-apply-server-side-dry-run': [RELEASE],
  '14-kubectl-replace': [RELEASE],
  '15-kubectl-set-env': [RELEASE],
  '16-kubectl-set-resources': [RELEASE],
  '17-kubectl-edit': [RELEASE],
  '18-kubectl-patch-json': [RELEASE],
  '19-kubectl-patch-merge': [RELEASE],
  '20-impersonated-user-apply': [RELEASE],
  '21-kubectl-delete': [NOTHING],
  '22-helm-install': [['Enrolled', 'Enrolled']],
  '23-helm-upgrade': [RELEASE],
  '24-helm-upgrade-client-side': [RELEASE],
  '25-helm-rollback': [NOTHING, RELEASE],
  '26-helm-uninstall': [NOTHING],
};

interface Action {
  readonly name: string;
  readonly reviews: readonly AdmissionRequest[];
}

const read = (file: string): Action => {
  const { reviews } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { reviews: Json[] };
  const requests = reviews.map(readReview).filter(({ subResource }) => subResource !== 'status');
  // A client that tries again after a conflict, and a server that does, send the same edit again.
  const seen = new Set<string>();
  const different = requests.filter(({ object, oldObject }) => {
    const edit = JSON.stringify([object, oldObject].map((one) => (one as Deployment | null)?.spec));
    return !seen.has(edit) && seen.add(edit);
  });
  return { name: file.replace('.json', ''), reviews: different };
};

const clone = (value: unknown): Json => structuredClone(value) as Json;
const asMap = (value: unknown): Json | undefined =>
  value === undefined
    ? {}
    : typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Json)
      : undefined;
/** What leads from `before` to `after`, done to `onto`. */
const merge = (before: unknown, after: unknown, onto: unknown): unknown => {
  if (JSON.stringify(before) === JSON.stringify(after)) return onto;
  const [a, b, c] = [asMap(before), asMap(after), asMap(onto)];
  if (!a || !b || !c || after === undefined) return after;
  const names = new Set([...Object.keys(a), ...Object.keys(b), ...Object.keys(c)]);
  const merged = [...names].map((name) => [name, merge(a[name], b[name], c[name])] as const);
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined));
};

/** With the label of the enrolment, as the operator puts it on. */
const enrolled = (deployment: Deployment): Deployment => ({
  ...deployment,
  metadata: { ...deployment.metadata, labels: { ...deployment.metadata.labels, [keys.WORKLOAD_TYPE]: 'deployment' } },
});
const withTemplate = (deployment: Deployment, image: string): Deployment => {
  const copy = structuredClone(deployment) as unknown as { spec: { template: { spec: { containers: Json[] } } } };
  const [container] = copy.spec.template.spec.containers;
  if (container) container['image'] = image;
  return copy as unknown as Deployment;
};

/** `next` as the same client would have sent it if `old` had been `instead`: a whole manifest stays one. */
const rebase = (request: AdmissionRequest, instead: Deployment): AdmissionRequest => {
  const [old, next] = [request.oldObject as Deployment, request.object as Deployment];
  const replaced = next.metadata.uid === undefined;
  return { ...request, oldObject: instead, object: replaced ? next : merge(clone(old), clone(next), clone(instead)) };
};

describe('what clients send', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));

  it('is there for every action of the table, and in the table for every action that is there', () => {
    assert.deepEqual(files.map((file) => file.replace('.json', '')).sort(), Object.keys(actions).sort());
  });

  for (const { name, reviews } of files.map(read)) {
    describe(name, () => {
      const workload = reviews[0]?.name ?? '';
      const rollout: Rollout = {
        ...aRollout(1, '50%', '100%'),
        spec: {
          ...aRollout(1, '50%', '100%').spec,
          workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: workload },
        },
      };
      const decided: string[] = [];
      const deps: AdmissionDeps = someDeps(
        { rollouts: [{ ...rollout, metadata: { ...rollout.metadata, namespace: reviews[0]?.namespace ?? '' } }] },
        { operatorUser: OPERATOR, onDecision: ({ verdict }) => decided.push(verdict) },
      );
      const judge = (request: AdmissionRequest, by: AdmissionDeps = deps): Answer => {
        const answer = atOnce(mutateWorkload(request, by));
        if (answer.patch && answer.patch.length > 0) {
          const result = applyOps(request.object, answer.patch);
          const again = atOnce(mutateWorkload({ ...request, object: result }, by));
          assert.deepEqual(again.patch, [], 'asked again it changes nothing');
          if (answer.patch.every(({ op }) => op !== 'remove')) {
            assert.equal(
              JSON.stringify(applyOps(result, answer.patch)),
              JSON.stringify(result),
              'the same bytes when applied twice',
            );
          }
        }
        return answer;
      };
      const rows = actions[name] ?? [];

      it(`is ${rows.length} ${rows.length === 1 ? 'edit' : 'different edits'}`, () => {
        assert.equal(reviews.length, rows.length);
      });

      for (const [index, [idle, whileHeld]] of rows.entries()) {
        const sent = reviews[index];
        if (sent === undefined) continue;
        const updates = sent.operation === 'UPDATE' && !sent.subResource;
        const request = updates ? rebase(sent, enrolled(sent.oldObject as Deployment)) : sent;
        const result = (answer: Answer, of: AdmissionRequest): Deployment =>
          applyOps(of.object as Deployment, answer.patch ?? []);

        it(`edit ${index + 1} is ${idle} when the Deployment is at rest`, () => {
          decided.length = 0;
          const answer = judge(request);
          assert.equal(answer.verdict, idle);
          if (request.dryRun) assert.deepEqual(decided, [], 'nobody is told of a dry run');
          if (idle !== 'Held') return;
          assert.equal(answer.warnings?.length, 1);
          const held = result(answer, request);
          const next = request.object as Deployment;
          assert.deepEqual(held.spec.template, next.spec.template);
          assert.equal(held.spec.replicas, next.spec.replicas);
          assert.equal(held.spec.paused, true);
          assert.deepEqual(readHeld(held)?.user, settingsOf(next));
          assert.equal(held.metadata.annotations?.[keys.CHANGED_BY], request.userInfo?.username);
        });

        it(`edit ${index + 1} changes nothing where no Rollout names the Deployment`, () => {
          const { verdict, patch, warnings } = judge(sent, someDeps());
          assert.equal(verdict, 'Passed');
          assert.deepEqual([...(patch ?? []), ...(warnings ?? [])], []);
        });

        if (!updates) continue;

        it(`edit ${index + 1} is ${whileHeld} in the middle of a release`, () => {
          const stable = request.oldObject as Deployment;
          const release = { ...request, object: withTemplate(stable, 'other:1') };
          const held = result(judge(release), release);
          const during = rebase(request, held);
          const answer = judge(during);
          assert.equal(answer.verdict, whileHeld);
          const after = result(answer, during);
          assert.equal(after.spec.paused, true);
          assert.deepEqual(after.spec.strategy, held.spec.strategy);
          assert.equal(readHeld(after)?.stable, readHeld(held)?.stable);
          assert.equal(after.metadata.labels?.[keys.WORKLOAD_TYPE], 'deployment');
        });

        if (idle !== 'Held') continue;

        it(`edit ${index + 1} taken back is a rollback at once, and leaves the Deployment as it was`, () => {
          const held = result(judge(request), request);
          const back = {
            ...request,
            oldObject: held,
            object: { ...held, spec: { ...held.spec, template: (request.oldObject as Deployment).spec.template } },
          };
          const seen = atRest(rollout, request.oldObject as Deployment);
          const answer = judge(back, { ...deps, rolloutFor: () => seen });
          assert.equal(answer.verdict, 'RolledBack');
          const { template: _, ...spec } = result(answer, back).spec;
          const { template: __, ...wanted } = (request.object as Deployment).spec;
          assert.deepEqual(spec, wanted);
        });

        it(`edit ${index + 1} gets the same answer from a tool that sends no uid`, () => {
          const { uid: _, ...metadata } = (request.object as Deployment).metadata;
          const { patch } = judge({ ...request, object: { ...(request.object as Deployment), metadata } });
          assert.deepEqual(patch, judge(request).patch);
        });
      }
    });
  }
});
