// What differs between two templates, by path.
import assert from 'node:assert/strict';
import type { PodTemplate } from '../../../src/api/types.ts';
import { differences } from '../../../src/engine/lib/template-diff.ts';
import { rows } from '../build.ts';

const of = (container: object, spec: object = {}, metadata: PodTemplate['metadata'] = {}): PodTemplate => ({
  metadata,
  spec: { containers: [{ name: 'app', image: 'a:1', ...container }], ...spec },
});
const plain = of({});

describe('two templates differ', () => {
  const table: readonly (readonly [what: string, before: PodTemplate, after: PodTemplate, paths: string])[] = [
    ['in nothing', plain, of({}), ''],
    ['in nothing but the hash of a ReplicaSet', of({}, {}, { labels: { 'pod-template-hash': 'x' } }), plain, ''],
    ['in nothing where one is empty and the other absent', of({ env: [], resources: {} }), plain, ''],
    ['in nothing where one is null', of({}, { nodeName: null }), plain, ''],
    ['in a field of a container', plain, of({ image: 'a:2' }), 'spec.containers[app].image'],
    [
      'in an entry of a list of names',
      of({ env: [{ name: 'A', value: '1' }] }),
      of({ env: [{ name: 'A', value: '2' }] }),
      'spec.containers[app].env[A].value',
    ],
    ['in one that is new', plain, of({ env: [{ name: 'A', value: '1' }] }), 'spec.containers[app].env'],
    [
      'in one that is new beside another',
      of({ env: [{ name: 'A' }] }),
      of({ env: [{ name: 'A' }, { name: 'B' }] }),
      'spec.containers[app].env[B]',
    ],
    [
      'in one that is gone',
      of({ env: [{ name: 'A' }, { name: 'B' }] }),
      of({ env: [{ name: 'A' }] }),
      'spec.containers[app].env[B]',
    ],
    [
      'in nothing where only the order of names differs',
      of({ env: [{ name: 'A' }, { name: 'B' }] }),
      of({ env: [{ name: 'B' }, { name: 'A' }] }),
      '',
    ],
    ['in a list without names, as a whole', of({ args: ['x'] }), of({ args: ['x', 'y'] }), 'spec.containers[app].args'],
    ['in a label that no path can name', plain, of({}, {}, { labels: { 'x/y': '1' } }), 'metadata.labels'],
    [
      'in one beside another',
      of({}, {}, { labels: { a: '1' } }),
      of({}, {}, { labels: { a: '1', 'x/y': '1' } }),
      'metadata.labels[x/y]',
    ],
    [
      'in three fields',
      plain,
      of({ image: 'b', command: ['c'] }, { nodeName: 'd' }),
      'spec.containers[app].image, spec.containers[app].command, spec.nodeName',
    ],
    [
      'in more than three',
      plain,
      of({ image: 'b', command: ['c'], args: ['e'] }, { nodeName: 'd' }),
      'spec.containers[app].image, spec.containers[app].command, spec.containers[app].args and 1 more',
    ],
    ['in what is of another kind', of({}, { x: [] }), of({}, { x: { y: 1 } }), 'spec.x'],
  ];
  rows(table, (before, after, paths) => assert.equal(differences(before, after), paths));
});
