// Every message that a user can meet, read off the source: refusals, warnings, errors, findings, complaints, lines of the log.
import { globSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { EVENTS } from '../../src/api/reasons.ts';
import { root } from './page.ts';

export interface Message {
  /** With `…` for what is put in. */
  readonly text: string;
  readonly file: string;
  /** Names around it, from the inside: of the property, the variable or the function that it is given to. */
  readonly within: readonly string[];
}

export const messages: readonly Message[] = globSync('src/**/*.ts', { cwd: root }).flatMap(messagesOf);

/** Everything in quotes, and the reasons of events. */
export const anything: readonly string[] = [...messages.map(({ text }) => text), ...Object.keys(EVENTS)];

function messagesOf(file: string): Message[] {
  const found: Message[] = [];
  const source = ts.createSourceFile(file, readFileSync(`${root}${file}`, 'utf8'), ts.ScriptTarget.Latest, true);
  const visit = (node: ts.Node, within: readonly string[]): void => {
    const text = textOf(node);
    if (text !== undefined) {
      found.push({ text, file, within });
      for (const hole of holesOf(node)) visit(hole, ['a hole', ...within]);
      return;
    }
    const name = nameOf(node);
    const inner = name === undefined ? within : [name, ...within];
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  visit(source, []);
  return found;
}

function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [textOf(node.left), textOf(node.right)];
    return left === undefined && right === undefined ? undefined : `${left ?? '…'}${right ?? '…'}`;
  }
  return undefined;
}

/** What is put into a text: it may have texts of its own. */
function holesOf(node: ts.Node): ts.Node[] {
  if (ts.isTemplateExpression(node)) return node.templateSpans.map(({ expression }) => expression);
  if (!ts.isBinaryExpression(node)) return [];
  return [node.left, node.right].flatMap((side) => (textOf(side) === undefined ? [side] : holesOf(side)));
}

function nameOf(node: ts.Node): string | undefined {
  if (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node)) return node.name.getText();
  if (ts.isFunctionDeclaration(node) || ts.isTypeAliasDeclaration(node)) return node.name?.text;
  if (ts.isNewExpression(node)) return node.expression.getText();
  if (ts.isCallExpression(node)) return node.expression.getText().replace(/^.*\./s, '.');
  return undefined;
}
