import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatTime, parseTime } from '../../../src/engine/lib/time.ts';

describe('Kubernetes’ timestamps', () => {
  it('are read and written as Date does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_102_444_800 }), (seconds) => {
        const text = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
        assert.equal(formatTime(seconds * 1000), text);
        assert.equal(parseTime(text), seconds * 1000);
      }),
      { numRuns: 2000 },
    );
  });
  it('may have fractions of a second, which are read to the millisecond', () => {
    assert.equal(parseTime('2026-01-01T00:00:00.5Z'), Date.UTC(2026, 0, 1, 0, 0, 0, 500));
    assert.equal(parseTime('2026-01-01T00:00:00.123456Z'), Date.UTC(2026, 0, 1, 0, 0, 0, 123));
    assert.equal(formatTime(Date.UTC(2026, 0, 1) + 999), '2026-01-01T00:00:00Z');
  });
  it('are nothing when they are something else', () => {
    for (const text of [undefined, '', 'now', '2026-01-01', '2026-01-01T00:00:00+01:00'])
      assert.equal(parseTime(text), undefined, text);
  });
});
