import assert from 'node:assert/strict';
import type { Deployment } from '../../../src/api/types.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import { patchFor, type Wanted } from '../../../src/engine/admit/patch.ts';
import { settingsOf } from '../../../src/engine/workload/deployment/hold.ts';
import { web, withSpec } from './support.ts';

const bare = web('v1', {}, { labels: { app: 'web' } });
const without = (field: 'labels' | 'annotations', value: unknown): Deployment =>
  ({ ...bare, metadata: { ...bare.metadata, [field]: value } }) as Deployment;

describe('the patch to what an object should be', () => {
  for (const [when, received, wanted, expected] of [
    [
      'adds, replaces and removes',
      bare,
      { labels: { app: 'x', a: '1', gone: null } },
      [
        { op: 'replace', path: '/metadata/labels/app', value: 'x' },
        { op: 'add', path: '/metadata/labels/a', value: '1' },
      ],
    ],
    ['removes what is there', bare, { labels: { app: null } }, [{ op: 'remove', path: '/metadata/labels/app' }]],
    [
      'makes a map that is missing',
      bare,
      { annotations: { a: '1', b: null } },
      [{ op: 'add', path: '/metadata/annotations', value: { a: '1' } }],
    ],
    [
      'makes a map that is null',
      without('annotations', null),
      { annotations: { a: '1' } },
      [{ op: 'add', path: '/metadata/annotations', value: { a: '1' } }],
    ],
    ['makes no map for nothing', bare, { annotations: { b: null } }, []],
    [
      'escapes slashes and tildes',
      without('labels', {}),
      { labels: { 'a/b~c': '1' } },
      [{ op: 'add', path: '/metadata/labels/a~1b~0c', value: '1' }],
    ],
    ['takes no inherited name for one of the map', without('labels', {}), { labels: { constructor: null } }, []],
    ['says nothing of what is as it should be', bare, { labels: { app: 'web' }, borrowed: settingsOf(bare) }, []],
    [
      'writes settings where they belong',
      bare,
      { borrowed: { ...settingsOf(bare), paused: true, maxSurge: 0 } },
      [
        { op: 'add', path: '/spec/paused', value: true },
        { op: 'replace', path: '/spec/strategy/rollingUpdate/maxSurge', value: 0 },
      ],
    ],
    [
      'makes a strategy that a client left out',
      withSpec(bare, { strategy: undefined as never }),
      { borrowed: { ...settingsOf(bare), maxSurge: 0, maxUnavailable: 1 } },
      [{ op: 'replace', path: '/spec/strategy', value: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }],
    ],
  ] as readonly (readonly [string, Deployment, Wanted, readonly object[]])[]) {
    it(when, () => assert.deepEqual(patchFor(deploymentKind, received, wanted), expected));
  }
});
