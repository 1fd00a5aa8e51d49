// What the dashboard shows of a release in each of its states, as golden files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { detailOf } from '../../../src/view/dashboard/detail.ts';
import { ago, rollout } from '../support.ts';
import type { State } from './build.ts';
import { AT_REST, IN_STEPS } from './deployment-states.ts';
import { DAEMONS, STATEFUL, WITH_CHECKS } from './other-states.ts';
import { around, goldenView } from './support.ts';

const STATES: Readonly<Record<string, State>> = { ...AT_REST, ...IN_STEPS, ...WITH_CHECKS, ...STATEFUL, ...DAEMONS };

describe('views of a release in the dashboard', () => {
  for (const [name, [of, more]] of Object.entries(STATES))
    it(`show ${name}`, () => {
      const view = detailOf(of, around({ rollouts: [of.rollout], ...more }));
      goldenView(name, view);
      assert.deepEqual(JSON.parse(JSON.stringify(view)), view, 'plain JSON without undefined');
    });

  it('have a golden file for nothing that no test asks for', () => {
    const states = readFileSync(new URL('../../cli/states.test.ts', import.meta.url), 'utf8');
    const asked = (name: string): boolean =>
      Object.hasOwn(STATES, name) || name === 'overview' || states.includes(`'${name}'`);
    const names = readdirSync(new URL('golden', import.meta.url)).map((file) => file.replace('.json', ''));
    assert.deepEqual(
      names.filter((name) => !asked(name)),
      [],
    );
  });

  it('show another Rollout that governs the same workload', () => {
    const older = { ...rollout(), metadata: { ...rollout().metadata, name: 'first', creationTimestamp: ago(9000) } };
    const [of] = STATES['waiting']!;
    const { actions } = detailOf(of, around({ rollouts: [older, of.rollout] }));
    for (const { possible, why } of actions) {
      assert.equal(possible, false);
      assert.match(
        why!,
        /^Deployment "web" is released by Rollout "first"; "web" has no effect: delete it with: kubectl /,
      );
    }
  });
});
