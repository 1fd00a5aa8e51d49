// Whether the controllers of a route have read it.
import assert from 'node:assert/strict';
import type { ParentStatus } from '../../../src/api/traffic.ts';
import { pendingOn } from '../../../src/engine/traffic/observed.ts';
import { rows } from '../build.ts';
import { route } from './build.ts';

type Told = readonly [type: string, status: string, generation: number, reason?: string, message?: string];
const parent = (...told: readonly Told[]): ParentStatus => ({
  parentRef: { name: 'gateway' },
  controllerName: 'example.com/gateway',
  conditions: told.map(([type, status, observedGeneration, reason = '', message = '']) => ({
    type,
    status,
    observedGeneration,
    reason,
    message,
  })),
});
const ACCEPTED: Told = ['Accepted', 'True', 3];
const RESOLVED: Told = ['ResolvedRefs', 'True', 3];
const NOT_READ = 'Gateway "gateway" ("example.com/gateway") has not read generation 3 of HTTPRoute web yet';

describe('a route of generation 3', () => {
  type Row = readonly [what: string, parents: readonly ParentStatus[] | undefined, pending: string | undefined];
  const table: readonly Row[] = [
    ['is observed where its Gateway accepts it and finds all Services', [parent(ACCEPTED, RESOLVED)], undefined],
    ['is observed at a later generation', [parent(['Accepted', 'True', 4], ['ResolvedRefs', 'True', 4])], undefined],
    ['is pending without a Gateway', undefined, 'no Gateway has accepted HTTPRoute web'],
    ['is pending where one condition is old', [parent(ACCEPTED, ['ResolvedRefs', 'True', 2])], NOT_READ],
    ['is pending where a condition is missing', [parent(ACCEPTED)], NOT_READ],
    ['is pending where one of two Gateways has not read it', [parent(ACCEPTED, RESOLVED), parent()], NOT_READ],
    [
      "is pending where a Service is not found, in the controller's own words",
      [parent(ACCEPTED, ['ResolvedRefs', 'False', 3, 'BackendNotFound', 'no web-canary'])],
      'Gateway "gateway" ("example.com/gateway") says of HTTPRoute web: ResolvedRefs=False, "BackendNotFound: no web-canary"',
    ],
    [
      'is pending where a part of it is invalid',
      [parent(ACCEPTED, RESOLVED, ['PartiallyInvalid', 'True', 3, 'UnsupportedValue', 'weights'])],
      'Gateway "gateway" ("example.com/gateway") says of HTTPRoute web: PartiallyInvalid=True, "UnsupportedValue: weights"',
    ],
    [
      'ignores a Gateway that never served it',
      [parent(['Accepted', 'False', 1, 'NotAllowedByListeners']), parent(ACCEPTED, RESOLVED)],
      undefined,
    ],
    [
      'ignores a Gateway that serves an older route with its hostname',
      [parent(['Accepted', 'False', 3, 'HostnameConflict'], RESOLVED), parent(ACCEPTED, RESOLVED)],
      undefined,
    ],
    [
      'waits for a Gateway where none serves it, and says why',
      [parent(['Accepted', 'False', 3, 'NoMatchingParent'])],
      'Gateway "gateway" ("example.com/gateway") says of HTTPRoute web: Accepted=False, "NoMatchingParent: "',
    ],
    [
      'keeps control characters of a status away from a terminal',
      [parent(ACCEPTED, ['ResolvedRefs', 'False', 3, '\u001b[2J', '\u202e'])],
      'Gateway "gateway" ("example.com/gateway") says of HTTPRoute web: ResolvedRefs=False, "\\u001b[2J: \\u202e"',
    ],
  ];
  rows(table, (parents, pending) => {
    assert.equal(pendingOn(route([], {}, parents ? { status: { parents } } : {})), pending);
  });
});
