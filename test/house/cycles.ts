// Which module needs which when it is loaded, and the circles among them.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

/** The modules that each module imports. */
export type Imports = ReadonlyMap<string, readonly string[]>;

/**
 * The modules that a text imports a value from, as they are written. What is imported or exported as a type only is gone when the module is
 * loaded, and does not count; neither does `import()`, which runs later.
 */
export function valueImports(text: string): string[] {
  const { statements } = ts.createSourceFile('module.ts', text, {
    languageVersion: ts.ScriptTarget.Latest,
    jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
  });
  return statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (!moduleSpecifier || !ts.isStringLiteral(moduleSpecifier) || onlyTypes(statement)) return [];
    return [moduleSpecifier.text];
  });
}

function onlyTypes(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  return statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/** The value imports between the files; packages are left out. */
export const readImports = (files: readonly string[]): Imports =>
  new Map(
    files.map((file) => [
      file,
      valueImports(readFileSync(file, 'utf8'))
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => path.resolve(path.dirname(file), specifier)),
    ]),
  );

/**
 * The modules that can be reached from themselves, in groups that reach each other (Tarjan's strongly connected components), each group
 * sorted. Empty when no module needs itself.
 */
export function circles(imports: Imports): string[][] {
  const order = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (module: string): number => {
    const own = order.size;
    let low = own;
    order.set(module, own);
    stack.push(module);
    for (const next of imports.get(module) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (stack.includes(next)) low = Math.min(low, order.get(next)!);
    }
    if (low === own) {
      const group = stack.splice(stack.indexOf(module));
      if (group.length > 1 || imports.get(module)?.includes(module)) found.push(group.toSorted());
    }
    return low;
  };
  for (const module of imports.keys()) if (!order.has(module)) visit(module);
  return found.toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1));
}
