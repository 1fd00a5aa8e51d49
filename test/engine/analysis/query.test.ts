// What each kind of check asks its source for.
import assert from 'node:assert/strict';
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import { queriesOf, type Query, type Release } from '../../../src/engine/analysis/query.ts';
import { rows } from '../build.ts';

const RELEASE: Release = {
  namespace: 'shop',
  workload: 'web',
  pods: 'app=web',
  rolloutID: 'r2',
  revision: 'v2',
  stableRevision: 'v1',
  startedAt: 0,
  ratioChecks: 1,
};
const ERRORS: AnalysisCheck = { name: 'errors', ratio: { bad: 'bad', total: 'all', limit: '1%' } };

describe('queries', () => {
  const counters = (selector: string): Query => ({ kind: 'Counters', namespace: 'shop', workload: 'web', selector });
  const table: readonly (readonly [what: string, check: AnalysisCheck, queries: readonly Query[]])[] = [
    ['of a ratio', ERRORS, [counters('all'), counters('bad')]],
    [
      'of slow requests',
      { name: 'slow', ratio: { slowerThan: { histogram: 'h', seconds: 0.5 }, limit: '1%' } },
      [counters('h_count'), counters('h_bucket{le=~"0[.]5"}')],
    ],
    [
      'of slow requests with matchers, and whole seconds',
      { name: 'slow', ratio: { slowerThan: { histogram: 'h{a="b"}', seconds: 1 }, limit: '1%' } },
      [counters('h_count{a="b"}'), counters('h_bucket{le=~"1([.]0)?",a="b"}')],
    ],
    [
      'of a value, with the names of the release',
      { name: 'queue', value: { query: 'max(q{ns="{{namespace}}",v="{{ revision }}",x="{{other}}"})', max: 1 } },
      [{ kind: 'Expression', namespace: 'shop', expression: 'max(q{ns="shop",v="v2",x="{{other}}"})' }],
    ],
    [
      'of an external metric',
      { name: 'x', value: { external: { metric: 'm' }, max: 1 } },
      [{ kind: 'External', namespace: 'shop', metric: 'm', selector: undefined }],
    ],
    [
      'of Pods',
      { name: 'm', pods: { resource: 'memory', timesStable: 2 } },
      [{ kind: 'PodResource', namespace: 'shop', pods: 'app=web', resource: 'memory' }],
    ],
    ['of a condition are none', { name: 'c', condition: { apiVersion: 'v1', kind: 'K', ok: 'Ok' } }, []],
  ];
  rows(table, (check, queries) => assert.deepEqual(queriesOf(check, RELEASE), queries));
});
