// Programs that fail while they are measured.
import assert from 'node:assert/strict';
import type { EnrolFigures, MainFigures } from '../../../../tools/bench/plane/measure.ts';
import { inTurns } from '../../../../tools/bench/plane/in-turns.ts';

const main = { rssNothing: 1 } as MainFigures;
const enrolment = { deployments: 300 } as EnrolFigures;

describe('programs that are measured in turns', () => {
  const measured = async (fails: Readonly<Record<string, 'main' | 'enrolment'>>) => {
    const asked: string[] = [];
    const said: string[] = [];
    const part =
      <T>(name: 'main' | 'enrolment', figures: T) =>
      async (subject: string): Promise<T> => {
        asked.push(`${subject} ${name}`);
        if (fails[subject] === name) throw new Error(`${subject} ended`);
        return figures;
      };
    const parts = { main: part('main', main), enrolment: part('enrolment', enrolment) };
    const found = await inTurns(['a', 'b', 'c'], parts, async (subject) => void said.push(subject));
    return { found, asked, said };
  };

  it('keep their figures when another one fails, of which nothing more is measured', async () => {
    const { found, asked, said } = await measured({ b: 'main' });
    assert.deepEqual(found, [{ main, enrolment }, { failed: 'b ended' }, { main, enrolment }]);
    assert.deepEqual(asked, ['a main', 'b main', 'c main', 'a enrolment', 'c enrolment']);
    assert.deepEqual(said, ['b']);
  });

  it('keep the figures from before their failure', async () => {
    const { found } = await measured({ c: 'enrolment' });
    assert.deepEqual(found[2], { main, failed: 'c ended' });
  });

  it('have no figures when all of them fail', async () => {
    await assert.rejects(measured({ a: 'main', b: 'main', c: 'main' }), /a ended/);
  });
});
