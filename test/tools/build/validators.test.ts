// The validators of a build are those that ajv compiles from the schemas.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import * as compiled from '../../../src/schema/validators.ts';
import {
  policyShape,
  requestShape,
  rolloutShape,
  trafficRoutingShape,
  workloadShape,
} from '../../../src/schema/shapes.ts';
import { generateValidators, replaceValidators } from '../../../tools/build/validators.ts';
import { run, temporaryFolder } from '../../support/processes.ts';
import { objectsNear, type Shape } from './random-objects.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const source = (file: string): string =>
  stripTypeScriptTypes(readFileSync(path.join(root, 'src/schema', file), 'utf8'));

type Validators = Omit<typeof compiled, 'ajv'>;
const shapes: Readonly<Record<keyof Validators, object>> = {
  rollout: rolloutShape,
  trafficRouting: trafficRoutingShape,
  policy: policyShape,
  workload: workloadShape,
  admissionRequest: requestShape,
};

describe('the validators of a build', () => {
  let folder: string;
  let generated: Validators;
  before(async () => {
    folder = temporaryFolder('build');
    mkdirSync(path.join(folder, 'schema'));
    writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
    for (const name of ['validators', 'ajv-runtime'])
      writeFileSync(path.join(folder, 'schema', `${name}.js`), source(`${name}.ts`));
    await replaceValidators(folder);
    generated = (await import(pathToFileURL(path.join(folder, 'schema/validators.js')).href)) as Validators;
  });

  it('are all there, and import nothing but what they call', () => {
    assert.deepEqual(Object.keys(generated), Object.keys(shapes).toSorted());
    const imports = readFileSync(path.join(folder, 'schema/validators.js'), 'utf8').match(
      /^import .*$|\bimport\(|\brequire\b/gm,
    );
    assert.deepEqual(imports, ['import { formats, lengthOf, regExp } from "./ajv-runtime.js";']);
  });

  for (const name of Object.keys(shapes) as (keyof Validators)[])
    it(`find the same errors as those that ajv compiles: ${name}`, () => {
      const keywords = new Set<string>();
      fc.assert(
        fc.property(objectsNear(shapes[name] as Shape), (object) => {
          const ok = compiled[name](object);
          assert.equal(generated[name](object), ok);
          assert.deepEqual(generated[name].errors, compiled[name].errors);
          for (const { keyword } of compiled[name].errors ?? []) keywords.add(keyword);
        }),
        { numRuns: 500 },
      );
      // No kind of error was left out.
      const used = new Set([...JSON.stringify(shapes[name]).matchAll(KEYWORDS)].map(([, keyword]) => keyword!));
      assert.deepEqual([...keywords].toSorted(), [...used].toSorted());
    });

  it('pass the tests of the schemas', async () => {
    const text = generateValidators('./ajv-runtime.ts');
    const hook = `import { registerHooks } from 'node:module';
      registerHooks({
        load: (url, context, next) => url.endsWith('/src/schema/validators.ts')
          ? { format: 'module', source: ${JSON.stringify(text)}, shortCircuit: true }
          : next(url, context),
        resolve: (specifier, context, next) => next(specifier === 'ajv' ? 'ajv must not be loaded' : specifier, context),
      });`;
    const file = path.join(folder, 'hook.js');
    writeFileSync(file, hook);
    const tests = ['test/schema/*.test.ts', 'test/admission/handlers.test.ts', 'test/admission/policy.test.ts'];
    const mocha = path.join(root, 'node_modules/mocha/bin/mocha.js');
    const { code, stdout } = await run(process.execPath, ['--import', file, mocha, ...tests], { cwd: root });
    assert.equal(code, 0, stdout);
  });

  it('are not written over what is no compiled source', async () => {
    await assert.rejects(replaceValidators(folder), /validators\.js is not what tsc makes of .*: build again/);
    await assert.rejects(replaceValidators(path.join(folder, 'nothing')), /ENOENT/);
  });
});

const KEYWORDS = /"(type|required|enum|anyOf|minimum|maximum|minItems|maxItems|minLength|maxLength|pattern|format)":/g;
