// Kubernetes' CEL environment: results, compile errors, and their texts.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { compile } from '../../src/cel/index.ts';

const deployment = {
  metadata: { name: 'demo', labels: { app: 'demo' } },
  spec: { replicas: 3, ratio: 0.5, template: { spec: { containers: [{ name: 'main', image: 'app:1' }] } }, empty: {} },
};
const variables = { object: deployment, oldObject: structuredClone(deployment), nothing: null };
const evaluate = (expression: string): unknown =>
  compile(expression, { variables: Object.keys(variables) }).evaluate(variables);

const gives: [expression: string, value: unknown][] = [
  // Numbers: JSON integers are int, others double.
  ['object.spec.replicas + 1', 4],
  ['type(object.spec.replicas) == int && type(object.spec.ratio) == double', true],
  ['object.spec.replicas > 2.5', true],
  ['object.spec.replicas in [1, 2, 3]', true],
  ['int("42") + int(1.9)', 43],
  // Equality is by value, whatever the types.
  ['object == oldObject', true],
  ['object.spec.template != oldObject.spec.template', false],
  ['object.spec.replicas == "3"', false],
  ['nothing == null', true],
  ['object.spec.empty == {}', true],
  // Optionals.
  ['object.spec.?paused == optional.none()', true],
  ['object.spec.?replicas == optional.of(3)', true],
  ['object.spec.?replicas == optional.of(4)', false],
  ['optional.none() != optional.of(false)', true],
  ['object.spec.?paused != oldObject.spec.?paused', false],
  ['object.metadata.?annotations["a.b/c"].hasValue()', false],
  ['object.metadata.?labels["app"].orValue("")', 'demo'],
  ['object.spec.?paused.optMap(p, !p).orValue(true)', true],
  ['object.spec.?replicas.optMap(r, r * 2).value()', 6],
  ['object.metadata[?"labels"].optFlatMap(l, l[?"app"]).value()', 'demo'],
  ['[1, ?object.spec.?replicas, ?object.spec.?none]', [1, 3]],
  ['{"a": 1, ?"b": object.spec.?none, "c": has(object.spec) ? 2 : 3}', { a: 1, c: 2 }],
  // has() of any selection.
  ['has(object.spec.paused)', false],
  ['has(object.spec.template.spec.containers[0].image)', true],
  ['has({"a": 1}.a)', true],
  // Loops.
  ['object.spec.template.spec.containers.all(c, c.image.startsWith("app:"))', true],
  ['object.metadata.labels.exists(k, k == "app")', true],
  ['[1, 2, 3].filter(x, x > 1).map(x, x * x)', [4, 9]],
  ['[1, 2, 2].exists_one(x, x == 1)', true],
  ['[3, 4].all(i, v, v == i + 3)', true],
  ['{"a": 1, "b": 2}.exists(k, v, k == "b" && v == 2)', true],
  ['{"a": 1, "b": 2}.transformMap(k, v, v > 1, v * 10)', { b: 20 }],
  ['["x", "y"].transformList(i, v, string(i) + v)', ['0x', '1y']],
  // An error counts only where nothing decides without it.
  ['[0, 1].exists(x, 1 / x == 1)', true],
  ['object.none == 1 || true', true],
  ['false && object.none == 1', false],
  // Strings and regular expressions (RE2).
  ['"app-17".matches("^[a-z]+-\\\\d+$")', true],
  ['matches("app-17", "p-\\\\d") && !matches(object.metadata.name, "^p")', true],
  ['"abc 123 45".find("[0-9]+")', '123'],
  ['"abc 123 45".findAll("[0-9]+")', ['123', '45']],
  ['"a,b".split(",").join("/")', 'a/b'],
  ['"a-b-c".replace("-", "$&", 1)', 'a$&b-c'],
  ['" Ab ".trim().lowerAscii()', 'ab'],
  ['"hello".substring(1, 3) + "hello".charAt(4)', 'elo'],
  ['"%s: %d of %.1f %s%%".format(["x", 2, 2.5, [1, "y"]])', 'x: 2 of 2.5 [1, y]%'],
  ['"has(object.spec)" + \'.all(x, y)\'', 'has(object.spec).all(x, y)'],
  // Lists and sets.
  ['[1, 3, 2].isSorted()', false],
  ['[1, 3, 2].sum() + [1, 3, 2].min() + [1, 3, 2].max()', 10],
  ['["a", "b", "a"].indexOf("a") + ["a", "b", "a"].lastIndexOf("a")', 2],
  ['sets.contains([1, 2], [2]) && !sets.intersects([1], [2]) && sets.equivalent([1, 2, 2], [2, 1])', true],
  // Quantities, URLs, time.
  ['quantity("1Gi").isGreaterThan(quantity("1G"))', true],
  ['quantity("100m").add(quantity("0.9")) == quantity("1")', true],
  ['isQuantity("1Gb")', false],
  ['quantity("2k").asInteger()', 2000],
  ['url("https://example.com:8443/a?b=1&b=2").getPort() + string(isURL("nonsense"))', '8443false'],
  ['duration("90m") > duration("1h")', true],
  ['timestamp("2026-03-01T00:00:00Z") - timestamp("2026-02-01T00:00:00Z") == duration("672h")', true],
  // Message literals of MutatingAdmissionPolicies.
  ['Object{spec: Object.spec{paused: true, ?replicas: optional.none()}}', { spec: { paused: true } }],
  ['[JSONPatch{op: "add", path: "/spec/paused", value: true}]', [{ op: 'add', path: '/spec/paused', value: true }]],
];

const failsWith: [expression: string, message: string][] = [
  ['object.spec.none', 'no such key: none'],
  ['has(object.none.some)', 'no such key: none'],
  ['object.spec.template.spec.containers[1]', 'index out of bounds: 1'],
  ['1 / (object.spec.replicas - 3)', 'division by zero'],
  ['object.spec.replicas + "1"', 'no such overload'],
  ['object.metadata.name.startsWith(3)', 'no such overload'],
  ['object.spec.?none.value()', 'optional.none() dereference'],
  ['9223372036854775807 + object.spec.replicas', 'integer overflow'],
  ['"a".matches("[")', 'error parsing regexp: missing closing ]: `[`'],
];

const refused: [expression: string, message: string][] = [
  [
    'foo == 1',
    "compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^",
  ],
  [
    'true &&\n  frobnicate(1)',
    "compilation failed: ERROR: <input>:2:3: undeclared reference to 'frobnicate' (in container '')\n |   frobnicate(1)\n | ..^",
  ],
  [
    '"a" + 1',
    "compilation failed: ERROR: <input>:1:1: found no matching overload for '_+_' applied to '(string, int)'\n | \"a\" + 1\n | ^",
  ],
  [
    '"a".matches(1)',
    "compilation failed: ERROR: <input>:1:1: found no matching overload for 'matches' applied to 'string.(int)'\n | \"a\".matches(1)\n | ^",
  ],
  ['[1, 2', "compilation failed: ERROR: <input>:1:1: Syntax error: missing ']'\n | [1, 2\n | ^"],
  ['1)', "compilation failed: ERROR: <input>:1:2: Syntax error: extraneous input ')'\n | 1)\n | .^"],
  [
    'cel_has(object.x)',
    "compilation failed: ERROR: <input>:1:1: undeclared reference to 'cel_has' (in container '')\n | cel_has(object.x)\n | ^",
  ],
];

describe('CEL expressions', () => {
  for (const [expression, value] of gives) {
    it(`${expression} gives ${JSON.stringify(value)}`, () => assert.deepEqual(evaluate(expression), value));
  }

  for (const [expression, message] of failsWith) {
    it(`${expression} fails with "${message}"`, () =>
      assert.throws(() => evaluate(expression), { name: 'CelRuntimeError', message }));
  }

  for (const [expression, message] of refused) {
    it(`does not compile ${JSON.stringify(expression)}`, () =>
      assert.throws(() => evaluate(expression), { name: 'CelCompileError', message }));
  }

  it('refuses a result type that is not wanted, dyn included', () => {
    const options = { variables: ['object'], returns: ['bool'] };
    assert.throws(() => compile('1', options), { message: 'must evaluate to bool but got int' });
    assert.throws(() => compile('object.spec', options), { message: 'must evaluate to bool but got dyn' });
    assert.equal(compile('object.spec == 1', options).type, 'bool');
  });

  it('stops an expression with endless loops', () => {
    const list = Array.from({ length: 300 }, (_, i) => i);
    const nested = compile('self.all(a, self.all(b, self.all(c, a + b + c >= 0)))', { variables: ['self'] });
    assert.throws(() => nested.evaluate({ self: list }), {
      message: 'operation cancelled: actual cost limit exceeded',
    });
  });

  it('matches a pattern that makes a backtracking engine hang', () => {
    assert.equal(evaluate(`"${'a'.repeat(60)}!".matches("^(a+)+$")`), false);
  });

  it('stops an expression that searches long texts', () => {
    const text = 'a'.repeat(20_000);
    for (const [expression, list] of [
      ['self.all(t, !matches(t, "^(a+)+$b"))', Array.from({ length: 3000 }, () => text)],
      ['self[0].findAll("[a-z]*x|a").size() > 0', [text]],
    ] as const)
      assert.throws(() => compile(expression, { variables: ['self'] }).evaluate({ self: list }), {
        message: 'operation cancelled: actual cost limit exceeded',
      });
    assert.deepEqual(evaluate('"a-b-c".findAll("[a-z]", 2)'), ['a', 'b']);
    assert.deepEqual(evaluate('"a-b".findAll("[x]*")'), ['', '', '', '']);
  });

  it('refuses an expression nested too deeply', () => {
    assert.throws(() => evaluate('('.repeat(500) + '1' + ')'.repeat(500)), { name: 'CelCompileError' });
  });
});
