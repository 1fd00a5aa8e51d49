// What the dashboard makes of the answers to a dry run.
import assert from 'node:assert/strict';
import { Acts } from '../../../src/cli/dashboard/acts.ts';
import type { Opened } from '../../../src/cli/dashboard/opened.ts';
import type { Cluster } from '../../../src/cli/cluster.ts';
import { ApiError, NetworkError } from '../../../src/kube/errors.ts';
import type { PlannedAction } from '../../../src/view/dashboard/actions.ts';
import type { ActionVerdict } from '../../../src/view/dashboard/types.ts';
import { rollout } from '../../view/support.ts';

const view = { name: 'pause', version: 'v', possible: true } as PlannedAction['view'];
const planned: PlannedAction = { view, writes: [{} as PlannedAction['writes'][number]] };
const answerTo = (error: Error): Promise<ActionVerdict | undefined> => {
  const send = (): Promise<never> => Promise.reject(error);
  return new Acts({ send } as unknown as Cluster, Date.now).ask(rollout(), planned);
};
const denied = (code: number, message: string): ApiError =>
  new ApiError(code, { message: `admission webhook "rollouts.tranche.dev" denied the request: ${message}` });

describe('the answer to a dry run of the dashboard', () => {
  it('is asked for again if it says nothing about the request', async () => {
    const behind =
      'approval: Forbidden: "anna": cannot check the verb approve: the cache does not have this version of the Rollout yet';
    assert.deepEqual(await answerTo(denied(422, `${behind}; try again in a few seconds`)), {
      allowed: false,
      why: `${behind}; it is asked again by itself`,
      unknown: true,
    });
    for (const error of [
      denied(422, 'cannot check the verb takeover: the API server did not answer; try again in a few seconds'),
      denied(503, 'tranche is not ready: no leader; try again in a few seconds'),
      new ApiError(504, { message: 'timeout' }),
      new ApiError(429, { message: 'too many requests' }),
      new NetworkError('connect ECONNREFUSED', 'ECONNREFUSED'),
    ]) {
      const verdict = await answerTo(error);
      assert.ok(verdict?.allowed === false && verdict.unknown === true, error.message);
      assert.match(verdict.why, /; it is asked again by itself$/);
      assert.doesNotMatch(verdict.why, /try again/);
    }
  });

  it('is final if it is a refusal, with what to do', async () => {
    assert.deepEqual(await answerTo(denied(422, 'policy production is closed')), {
      allowed: false,
      why: 'policy production is closed',
    });
    assert.deepEqual(
      await answerTo(new ApiError(403, { message: 'rollouts "web" is forbidden: User "joe" cannot patch it' })),
      {
        allowed: false,
        why: 'you may not: rollouts "web" is forbidden: User "joe" cannot patch it; ask for the ClusterRole edit',
      },
    );
  });

  it('is none if the objects have changed meanwhile', async () => {
    assert.equal(await answerTo(new ApiError(409, { reason: 'Conflict', message: 'changed' })), undefined);
  });
});

describe('an action of the dashboard with several requests', () => {
  const act = (answers: readonly (Error | undefined)[]): ReturnType<Acts['act']> => {
    const left = [...answers];
    const send = (): Promise<unknown> => {
      const error = left.shift();
      return error ? Promise.reject(error) : Promise.resolve({});
    };
    const plan = (): PlannedAction => ({ view, writes: [planned.writes[0]!, planned.writes[0]!] });
    const release = { rollout: rollout(), plan };
    const opened = { get: () => release } as unknown as Opened;
    const body = { namespace: 'shop', rollout: 'web', ask: { name: 'pause', version: 'v' } } as const;
    return new Acts({ send } as unknown as Cluster, Date.now).act(body, opened);
  };

  it('says that a part is done if a later request fails', async () => {
    const refusal = new ApiError(422, { message: 'policy production is closed' });
    assert.deepEqual(await act([undefined, refusal]), {
      done: false,
      says: 'a part of this is done, and the rest is not: policy production is closed',
      warnings: [],
    });
    assert.equal((await act([refusal])).says, 'policy production is closed');
    assert.equal((await act([undefined, undefined])).done, true);
  });

  it('says that an error is one of the dashboard, which goes on', async () => {
    const { done, says } = await act([new TypeError('x is\nundefined')]);
    assert.equal(done, false);
    assert.match(
      says,
      /^this is an error in the dashboard: TypeError: x is\\?.*undefined; the command in the dialog does the same$/,
    );
  });
});
