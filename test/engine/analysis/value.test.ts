// The check `value`: one number against a minimum and a maximum.
import assert from 'node:assert/strict';
import { judgeValue, startValue, type ValueCheck, type Valued } from '../../../src/engine/analysis/value.ts';
import { rows } from '../build.ts';

const MAX: ValueCheck = { max: 10 };

describe('the verdict', () => {
  rows(
    [
      ['Worse after three bad looks in a row', MAX, [11, 12, 13], 'Worse since 3'],
      ['not Worse after two', MAX, [11, 12], 'Open since 0'],
      ['not Worse with a good look between', MAX, [11, 12, 9, 11, 12], 'Open since 0'],
      ['Fine after three good looks in a row', MAX, [9, 10, 9], 'Fine since 3'],
      ['of a minimum', { min: 5 }, [4, 4, 4], 'Worse since 3'],
      ['of a range', { min: 5, max: 10 }, [4, 11, 4], 'Worse since 3'],
      ['after one bad look, if that is asked for', { max: 10, failures: 1 }, [11], 'Worse since 1'],
      ['Unknown without a value', MAX, ['refused'], 'Unknown since 1 refused'],
      ['Unknown with NaN', MAX, [NaN], 'Unknown since 1 the source returned NaN'],
      ['never Worse without values', MAX, ['refused', 'refused', 'refused', 'refused'], 'Unknown since 1 refused'],
      [
        'Worse if a value is missing between bad ones: none of them was good',
        MAX,
        [11, 'refused', 11, 11],
        'Worse since 4',
      ],
      ['Worse for ever', MAX, [11, 11, 11, 1, 1, 1], 'Worse since 3'],
    ],
    (check: ValueCheck, values: (number | string)[], expected: string) => {
      const looks = values.map((value, index): Valued =>
        typeof value === 'number' ? { at: index + 1, value } : { at: index + 1, unknown: value },
      );
      const { verdict, since, why } = looks.reduce((before, look) => judgeValue(check, before, look), startValue(0));
      assert.equal([verdict, 'since', since, ...(why === undefined ? [] : [why])].join(' '), expected);
    },
  );
});
