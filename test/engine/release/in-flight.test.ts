// Is a release in flight: the record on the workload, then the phase of its Rollout.
import assert from 'node:assert/strict';
import { HELD, PAUSED_UNSEEN } from '../../../src/api/keys.ts';
import type { Deployment, RolloutStatus } from '../../../src/api/types.ts';
import { isHeld, isInFlight } from '../../../src/engine/release/in-flight.ts';
import { deployment, healthy, held, rollout, rows } from '../build.ts';

describe('a release is in flight', () => {
  const free = deployment();
  const table: readonly (readonly [
    what: string,
    phase: RolloutStatus['phase'] | undefined,
    workload: Deployment | undefined,
    inFlight: boolean,
  ])[] = [
    ['not of a Rollout that is new', undefined, free, false],
    ['not of one that has no workload', undefined, undefined, false],
    ['not when it is over', 'Healthy', free, false],
    ['not before there is a workload', 'Initial', undefined, false],
    ['not when it is disabled', 'Disabled', free, false],
    ['while it goes on', 'Progressing', free, true],
    ['while its workload is given back, disabled', 'Disabling', free, true],
    ['and deleted', 'Terminating', free, true],
    ['whatever the phase says, with a record on the workload', 'Healthy', deployment({ held: held() }), true],
    ['with a record that cannot be read', undefined, deployment({ annotations: { [HELD]: '{' } }), true],
    [
      'with a pause that the API server made',
      undefined,
      deployment({ annotations: { [PAUSED_UNSEEN]: 'false' } }),
      true,
    ],
  ];
  rows(table, (phase, workload, inFlight) => {
    const of = rollout(phase === undefined ? {} : { status: healthy('v1', { phase }) });
    assert.equal(isInFlight(of, workload), inFlight);
  });

  it('and its workload held, only with a record on it', () => {
    assert.equal(isHeld(undefined), false);
    assert.equal(isHeld(free), false);
    assert.equal(isHeld(deployment({ held: held() })), true);
  });
});
