'use strict';
// Rewrites the source of one module: loads, stores and calls inside functions go through the hooks of probe.cjs.
// Text is only inserted, and never with a line break before the end, so line numbers stay.
//
//   account.name            ->  __rp$.l(account.name, account, 17)            load of a property (17: the place)
//   shared.user = name      ->  __rp$.t(shared.user = name, shared, 18)       store
//   last                    ->  __rp$.v(last, 19, scope)                      load of a module's or a captured variable
//   last = name             ->  __rp$.u(last = name, 20, scope)               store of one
//   cache.get(key)          ->  __rp$.r(cache.get(__rp$.a(key, 21)), cache, 21)   argument and result of a call
//   await page              ->  __rp$.e(await page, 22)                       what was awaited; no further microtask
//
// An object that is not just a name is kept in a variable of the function: `__rp$.l((__rp$1 = a.b).c, __rp$1, 23)`.

const path = require('path');
const fs = require('fs');
const acorn = require('./vendor/acorn.js');

const HOOK = '__rp$';
const ITEMS_OF_A_PATTERN = 16;

// Calls that put an argument into their receiver, and calls that take something out of it.
const WRITERS = new Set(['push', 'unshift', 'set', 'add', 'append', 'splice', 'fill', 'write', 'enqueue', 'enterWith', 'run',
  'setItem', 'put', 'store', 'insert', 'save', 'prime', 'setHeader']);
// Calls that change their first argument.
const ASSIGNERS = new Set(['assign', 'defineProperty', 'merge', 'mergeWith', 'mergeDeep', 'extend', 'defaults', 'defaultsDeep', 'assignIn', 'mixin']);
const READERS = new Set(['get', 'getStore', 'pop', 'shift', 'at', 'peek', 'dequeue', 'getItem', 'find', 'take', 'next',
  'values', 'entries', 'keys', 'slice', 'join', 'subarray', 'toString', 'fetch', 'lookup', 'map', 'filter']);
const KEYED = new Set(['set', 'get', 'setItem', 'getItem', 'put', 'store', 'append', 'prime', 'setHeader', 'fetch', 'lookup']);

/** Parts of a source map that say where a place in the compiled file came from. */
class SourceMap {
  constructor(json, folder) {
    const root = json.sourceRoot ? json.sourceRoot.replace(/\/?$/, '/') : '';
    this.files = json.sources.map(name => {
      const whole = root + name;
      return whole.startsWith('file://') ? decodeURIComponent(new URL(whole).pathname) : path.resolve(folder, whole.replace(/^webpack:\/\/[^/]*\//, ''));
    });
    this.contents = json.sourcesContent || [];
    this.lines = decodeMappings(json.mappings);
    this.split = new Map();
  }

  /** The original place (lines and columns from 0), or null. */
  original(line, column) {
    const segments = this.lines[line];
    if (!segments) return null;
    let found = null;
    for (let low = 0, high = segments.length - 1; low <= high;) {
      const middle = (low + high) >> 1;
      if (segments[middle][0] <= column) { found = segments[middle]; low = middle + 1; } else high = middle - 1;
    }
    if (!found || found.length < 4) return null;
    return { file: this.files[found[1]], index: found[1], line: found[2], column: found[3] };
  }

  text(index, line) {
    if (!this.split.has(index)) {
      let content = this.contents[index];
      if (content == null) {
        try { content = fs.readFileSync(this.files[index], 'utf8'); } catch { content = ''; }
      }
      this.split.set(index, content.split(/\r?\n/));
    }
    return this.split.get(index)[line] || '';
  }
}

const DIGITS = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((sign, value) => [sign, value]));

/** The variable-length numbers of "mappings": a list of [column, source, line, column] for each line. */
function decodeMappings(text) {
  let source = 0, line = 0, column = 0;
  return text.split(';').map(part => {
    let generated = 0;
    const segments = [];
    if (!part) return segments;
    for (const word of part.split(',')) {
      const numbers = [];
      let value = 0, shift = 0;
      for (const sign of word) {
        const digit = DIGITS.get(sign);
        if (digit === undefined) break;
        value += (digit & 31) * 2 ** shift;
        if (digit & 32) { shift += 5; continue; }
        numbers.push(value % 2 ? -Math.floor(value / 2) : value / 2);
        value = shift = 0;
      }
      generated += numbers[0] || 0;
      if (numbers.length < 4) { segments.push([generated]); continue; }
      source += numbers[1]; line += numbers[2]; column += numbers[3];
      segments.push([generated, source, line, column]);
    }
    return segments.sort((a, b) => a[0] - b[0]);
  });
}

/** The source map that a file names in its last lines, or null. */
function readSourceMap(source, file) {
  const names = [...source.slice(-5_000_000).matchAll(/^[ \t]*\/\/[#@] ?sourceMappingURL=([^\s'"]+)[ \t]*$/gm)];
  if (!names.length) return null;
  const url = names[names.length - 1][1];
  try {
    const inline = /^data:[^,]*?(;base64)?,(.*)$/s.exec(url);
    if (inline) {
      const text = inline[1] ? Buffer.from(inline[2], 'base64').toString('utf8') : decodeURIComponent(inline[2]);
      return new SourceMap(JSON.parse(text), path.dirname(file));
    }
    const place = path.resolve(path.dirname(file), decodeURIComponent(url));
    return new SourceMap(JSON.parse(fs.readFileSync(place, 'utf8')), path.dirname(place));
  } catch {
    return null;
  }
}

class Variable {
  constructor(name, scope, kind) {
    this.name = name;
    this.scope = scope;
    this.kind = kind;
    this.captured = false;   // a function within the one that declares it uses it
    this.module = null;      // imported from a module of the application: [specifier, name there]
  }
}

class Scope {
  constructor(parent, unit) {
    this.parent = parent;
    this.unit = unit;
    this.names = new Map();
  }

  declare(name, kind) {
    let variable = this.names.get(name);
    if (!variable) this.names.set(name, variable = new Variable(name, this, kind));
    return variable;
  }

  find(name) {
    for (let scope = this; scope; scope = scope.parent) {
      const variable = scope.names.get(name);
      if (variable) return variable;
    }
    return null;
  }
}

/** A function, or the top of the module, or the initial value of a class field (which is one for JavaScript). */
class Unit {
  constructor(number, name, parent, hooked) {
    this.number = number;
    this.name = name;
    this.parent = parent;
    this.hooked = hooked;
    this.temporaries = 0;
    this.token = false;      // one object for each run of the function: the identity of its captured variables
    this.parameters = [];
  }
}

const isAbsence = node => node.type === 'Literal' ? node.value === null || typeof node.value === 'boolean' : node.type === 'Identifier' && node.name === 'undefined';
const isFunction = node => node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' || node.type === 'ArrowFunctionExpression';
const isSimple = node => node.type === 'Identifier' || node.type === 'ThisExpression';
const namesItself = node => (isFunction(node) || node.type === 'ClassExpression') && !node.id;

function children(node, visit) {
  for (const key in node) {
    if (key === 'type' || key === 'start' || key === 'end') continue;
    const child = node[key];
    if (!child || typeof child !== 'object') continue;
    if (Array.isArray(child)) { for (const one of child) if (one && typeof one.type === 'string') visit(one); }
    else if (typeof child.type === 'string') visit(child);
  }
}

/** First pass: who declares which name, and which names inner functions use. */
class Names {
  constructor(isModule) {
    this.isModule = isModule;
    this.units = [];
    this.references = [];    // [node, scope]
    this.unitOf = new Map(); // function node -> Unit
  }

  unit(name, parent, hooked) {
    const unit = new Unit(this.units.length, name, parent, hooked);
    this.units.push(unit);
    return unit;
  }

  run(program) {
    const top = this.unit('<module>', null, false);
    this.top = new Scope(null, top);
    for (const statement of program.body) this.walk(statement, this.top, this.top, '');
    for (const [node, scope] of this.references) {
      const variable = scope.find(node.name);
      node.variable = variable;
      if (variable && variable.scope.unit !== scope.unit) variable.captured = true;
    }
    return this;
  }

  pattern(node, scope, kind, declared) {
    switch (node.type) {
      case 'Identifier': declared.push(node.variable = scope.declare(node.name, kind)); break;
      case 'ObjectPattern': for (const property of node.properties) this.pattern(property.type === 'RestElement' ? property.argument : property.value, scope, kind, declared); break;
      case 'ArrayPattern': for (const element of node.elements) if (element) this.pattern(element, scope, kind, declared); break;
      case 'AssignmentPattern': this.pattern(node.left, scope, kind, declared); break;
      case 'RestElement': this.pattern(node.argument, scope, kind, declared); break;
    }
  }

  // Default values and computed keys inside a pattern that declares.
  patternValues(node, scope, outer) {
    switch (node.type) {
      case 'ObjectPattern':
        for (const property of node.properties) {
          if (property.type === 'RestElement') { this.patternValues(property.argument, scope, outer); continue; }
          if (property.computed) this.walk(property.key, scope, outer, '');
          this.patternValues(property.value, scope, outer);
        }
        break;
      case 'ArrayPattern': for (const element of node.elements) if (element) this.patternValues(element, scope, outer); break;
      case 'AssignmentPattern': this.patternValues(node.left, scope, outer); this.walk(node.right, scope, outer, node.left.name || ''); break;
      case 'RestElement': this.patternValues(node.argument, scope, outer); break;
    }
  }

  // `scope` is the block's, `outer` the function's (where `var` goes), `name` what a function found here is called.
  walk(node, scope, outer, name) {
    const go = (child, hint) => this.walk(child, scope, outer, hint || '');
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression': return this.functionNode(node, scope, outer, name);
      case 'ClassDeclaration':
      case 'ClassExpression': return this.classNode(node, scope, outer, name);
      case 'BlockStatement': {
        const block = new Scope(scope, scope.unit);
        for (const statement of node.body) this.walk(statement, block, outer, '');
        return;
      }
      case 'SwitchStatement': {
        go(node.discriminant);
        const block = new Scope(scope, scope.unit);
        for (const one of node.cases) this.walk(one, block, outer, '');
        return;
      }
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement': {
        const block = new Scope(scope, scope.unit);
        children(node, child => this.walk(child, block, outer, ''));
        return;
      }
      case 'CatchClause': {
        const block = new Scope(scope, scope.unit);
        if (node.param) { this.pattern(node.param, block, 'let', []); this.patternValues(node.param, block, outer); }
        this.walk(node.body, block, outer, '');
        return;
      }
      case 'VariableDeclaration':
        for (const one of node.declarations) {
          one.declared = [];
          this.pattern(one.id, node.kind === 'var' ? outer : scope, node.kind, one.declared);
          this.patternValues(one.id, scope, outer);
          if (one.init) go(one.init, one.id.name);
        }
        return;
      case 'ImportDeclaration':
        for (const one of node.specifiers) {
          const variable = scope.declare(one.local.name, 'import');
          const there = one.type === 'ImportNamespaceSpecifier' ? '*' : one.type === 'ImportDefaultSpecifier' ? 'default' : one.imported.name || one.imported.value;
          variable.module = [node.source.value, there];
        }
        return;
      case 'ExportNamedDeclaration': if (node.declaration) go(node.declaration); return;
      case 'ExportAllDeclaration': case 'BreakStatement': case 'ContinueStatement': case 'MetaProperty': return;
      case 'LabeledStatement': return go(node.body);
      case 'MemberExpression':
        go(node.object);
        if (node.computed) go(node.property);
        return;
      case 'Property':
        if (node.computed) go(node.key);
        go(node.value, node.computed ? '' : String(node.key.name ?? node.key.value));
        return;
      case 'AssignmentExpression':
        go(node.left);
        go(node.right, node.left.type === 'Identifier' ? node.left.name : node.left.type === 'MemberExpression' && !node.left.computed ? node.left.property.name : '');
        return;
      case 'AssignmentPattern': go(node.left); go(node.right, node.left.name); return;
      case 'Identifier': this.references.push([node, scope]); return;
      default: children(node, child => go(child));
    }
  }

  functionNode(node, scope, outer, name) {
    const own = node.id ? node.id.name : name;
    if (node.type === 'FunctionDeclaration' && node.id) {
      scope.declare(node.id.name, 'function');
      if (scope !== outer && !this.isModule) outer.declare(node.id.name, 'function');
    }
    const parentName = scope.unit.name === '<module>' ? '' : scope.unit.name + '.';
    const unit = this.unit(parentName + (own || '<anonymous>'), scope.unit, true);
    this.unitOf.set(node, unit);
    let around = scope;
    if (node.type === 'FunctionExpression' && node.id) { around = new Scope(scope, scope.unit); around.declare(node.id.name, 'function'); }
    const inner = new Scope(around, unit);
    for (const parameter of node.params) this.pattern(parameter, inner, 'param', unit.parameters);
    for (const parameter of node.params) this.patternValues(parameter, inner, inner);
    if (node.body.type === 'BlockStatement') for (const statement of node.body.body) this.walk(statement, inner, inner, '');
    else this.walk(node.body, inner, inner, '');
  }

  classNode(node, scope, outer, name) {
    if (node.type === 'ClassDeclaration' && node.id) scope.declare(node.id.name, 'class');
    if (node.superClass) this.walk(node.superClass, scope, outer, '');
    let around = scope;
    if (node.type === 'ClassExpression' && node.id) { around = new Scope(scope, scope.unit); around.declare(node.id.name, 'class'); }
    const parentName = scope.unit.name === '<module>' ? '' : scope.unit.name + '.';
    const className = parentName + (node.id ? node.id.name : name || '<class>');
    for (const member of node.body.body) {
      if (member.type === 'StaticBlock') {
        const unit = this.unit(className + '.<static>', scope.unit, false);
        this.unitOf.set(member, unit);
        const block = new Scope(around, unit);
        for (const statement of member.body) this.walk(statement, block, block, '');
        continue;
      }
      if (member.computed) this.walk(member.key, around, outer, '');
      if (!member.value) continue;
      const unit = this.unit(className, scope.unit, false);
      this.unitOf.set(member, unit);
      const inside = new Scope(around, unit);
      this.walk(member.value, inside, inside, String(member.key.name ?? member.key.value ?? '<computed>'));
    }
  }
}

/** Second pass: where to insert what. */
class Rewriter {
  constructor(source, options) {
    this.source = source;
    this.options = options;
    this.inserts = [];
    this.sequence = 0;
    this.sites = [];
    this.texts = new Map();
    this.files = [options.file];
    this.lineStarts = [0];
    const breaks = /\r\n|[\n\r\u2028\u2029]/g;
    while (breaks.exec(source)) this.lineStarts.push(breaks.lastIndex);
    this.map = options.sourceMap || null;
    this.unit = null;
    this.quiet = 0;        // above 0: in parameters, or under `with`: nothing is hooked
  }

  // Ends come before beginnings at one position; inner ends before outer ones, outer beginnings before inner ones.
  open(position, text) { this.inserts.push({ position, rank: 2, order: this.sequence++, text }); }
  close(position, text, order) { this.inserts.push({ position, rank: 0, order: -(order ?? this.sequence++), text }); }
  head(position, text) { this.inserts.push({ position, rank: 1, order: this.sequence++, text }); }

  wrap(node, before, after) { this.open(node.start, before); this.close(node.end, after); }

  place(offset) {
    let low = 0, high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lineStarts[middle] <= offset) low = middle; else high = middle - 1;
    }
    return [low, offset - this.lineStarts[low]];
  }

  lineText(line) {
    return this.source.slice(this.lineStarts[line], this.lineStarts[line + 1] ?? this.source.length);
  }

  // The number of a place: [file, line, column, unit, kind, key, path, callee, flags].
  site(offset, kind, key, more) {
    let [line, column] = this.place(offset);
    let file = 0;
    let text = null;
    if (this.map) {
      const original = this.map.original(line, column);
      if (original) {
        file = this.files.indexOf(original.file);
        if (file < 0) file = this.files.push(original.file) - 1;
        text = this.map.text(original.index, original.line);
        line = original.line;
        column = original.column;
      }
    }
    const textKey = file + ':' + (line + 1);
    if (!this.texts.has(textKey)) this.texts.set(textKey, (text ?? this.lineText(line)).trim().slice(0, 200));
    const m = more || {};
    this.sites.push([file, line + 1, column + 1, this.unit.number, kind, key ?? null, m.path || null, m.callee || null, m.flag || 0, m.module || 0]);
    return this.options.base + this.sites.length - 1;
  }

  get hooked() { return this.unit.hooked && !this.quiet; }

  temporary() { return HOOK + (++this.unit.temporaries); }

  token(unit) { unit.token = true; return HOOK + 'k' + unit.number; }

  run(program, names) {
    this.names = names;
    this.unit = names.top.unit;
    for (const statement of program.body) this.statementList(statement);
    return this.finish(program);
  }

  /** A variable that outlives one run of this function: a module's, or one of a function around. */
  shared(variable) {
    if (!variable || !this.hooked) return null;
    if (variable.kind === 'function' || variable.kind === 'class') return null;
    if (variable.scope.unit === this.names.top.unit) return 'module';
    if (variable.scope.unit === this.unit || !variable.scope.unit.hooked) return null;
    return 'closure';
  }

  variablePath(variable) { return this.options.name + '.' + variable.scope.unit.name + '.<closure>'; }

  // Arguments behind the value for a hook of a variable: ",site" or ",site,scope".
  variableArguments(node, variable, more) {
    const inModule = variable.scope.unit === this.names.top.unit;
    if (inModule) {
      const foreign = variable.module && this.options.resolve ? this.options.resolve(variable.module[0]) : null;
      const key = foreign && variable.module[1] !== '*' ? variable.module[1] : variable.name;
      return ',' + this.site(node.start, 'global', key, { ...more, module: foreign && variable.module[1] !== '*' ? foreign : 0 });
    }
    const site = this.site(node.start, 'closure', variable.name, { ...more, path: this.variablePath(variable) });
    return ',' + site + ',' + this.token(variable.scope.unit);
  }

  /** How an expression is reached from a name of the module: `app.locals` -> "app.app.locals". */
  staticPath(node) {
    if (node.type === 'Identifier') {
      if (!node.variable) return node.name === 'globalThis' || node.name === 'global' ? 'globalThis' : node.name === 'process' ? 'process' : null;
      if (node.variable.scope.unit !== this.names.top.unit) return null;
      return this.options.name + '.' + node.name;
    }
    if (node.type === 'MemberExpression' && !node.computed && node.property.type === 'Identifier') {
      const before = this.staticPath(node.object);
      if (before && before.split('.').length < 7) return before + '.' + node.property.name;
    }
    return null;
  }

  sourceOf(node) { return this.source.slice(node.start, node.end).replace(/\s+/g, ' ').slice(0, 80); }

  // Statements: a captured variable that a pattern declares is noted behind its declaration.
  statementList(node) {
    const order = this.sequence++;
    this.visit(node);
    if (node.type !== 'VariableDeclaration' || !this.hooked) return;
    const notes = [];
    for (const one of node.declarations) {
      if (one.id.type === 'Identifier' || !one.init) continue;
      for (const variable of one.declared) if (variable.captured) notes.push(this.variableNote(one.id, variable));
    }
    if (notes.length) this.close(node.end, ';' + notes.join(';') + ';', order);
  }

  variableNote(node, variable) { return `${HOOK}.u(${variable.name}${this.ownArguments(node, variable)})`; }

  ownArguments(node, variable) {
    const site = this.site(node.start, 'closure', variable.name, { path: this.variablePath(variable) });
    return ',' + site + ',' + this.token(variable.scope.unit);
  }

  visit(node) {
    switch (node.type) {
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression': return this.functionNode(node);
      case 'ClassDeclaration':
      case 'ClassExpression': return this.classNode(node);
      case 'BlockStatement': for (const statement of node.body) this.statementList(statement); return;
      case 'SwitchCase':
        if (node.test) this.visit(node.test);
        for (const statement of node.consequent) this.statementList(statement);
        return;
      case 'VariableDeclaration': for (const one of node.declarations) this.declarator(one, node); return;
      case 'ForStatement':
        if (node.init) this.visit(node.init);
        if (node.test) this.asked(node.test);
        if (node.update) this.visit(node.update);
        return this.visit(node.body);
      case 'IfStatement':
      case 'ConditionalExpression':
        this.asked(node.test);
        this.visit(node.consequent);
        if (node.alternate) this.visit(node.alternate);
        return;
      case 'WhileStatement': this.asked(node.test); return this.visit(node.body);
      case 'DoWhileStatement': this.visit(node.body); return this.asked(node.test);
      case 'LogicalExpression':
        // The left side of && is what comes out only where it is false, and then it holds nothing.
        if (node.operator === '&&') this.asked(node.left); else this.visit(node.left);
        return this.visit(node.right);
      case 'ForInStatement':
      case 'ForOfStatement': return this.forEachNode(node);
      case 'WithStatement':
        this.visit(node.object);
        this.quiet++;
        this.visit(node.body);
        this.quiet--;
        return;
      case 'CatchClause': this.patternParts(node.param); return this.visit(node.body);
      case 'ImportDeclaration': case 'ExportAllDeclaration': case 'BreakStatement': case 'ContinueStatement': case 'MetaProperty': return;
      case 'ExportNamedDeclaration': if (node.declaration) this.visit(node.declaration); return;
      case 'LabeledStatement': return this.visit(node.body);
      case 'ExpressionStatement': if (!node.directive) this.visit(node.expression); return;
      case 'Identifier': return this.identifier(node, 'v');
      case 'MemberExpression': return this.member(node, 'l');
      case 'CallExpression': return this.call(node);
      case 'ChainExpression': return this.visit(node.expression);
      case 'AssignmentExpression': return this.assignment(node);
      case 'UpdateExpression': return this.target(node.argument);
      case 'UnaryExpression':
        if (node.operator === 'delete') return;
        if (node.operator === 'typeof' && node.argument.type === 'Identifier') return;
        if (node.operator === '!' || node.operator === 'typeof') return this.asked(node.argument);
        return this.visit(node.argument);
      case 'AwaitExpression': {
        if (!this.hooked) return this.visit(node.argument);
        const order = this.sequence++;
        const { argument } = node;
        const isCall = argument.type === 'CallExpression';
        this.open(node.start, `${HOOK}.e(`);
        const site = this.site(node.start, 'await', null, { callee: this.sourceOf(isCall ? argument.callee : argument), path: isCall && argument.callee.object ? this.staticPath(argument.callee.object) : null });
        const object = isCall ? this.call(argument) : this.visit(argument);
        this.close(node.end, `,${site}${object && object !== 'undefined' ? ',' + object : ''})`, order);
        return;
      }
      case 'TaggedTemplateExpression': this.target(node.tag); return this.visit(node.quasi);
      case 'NewExpression':
        if (isFunction(node.callee) || node.callee.type === 'ClassExpression') this.visit(node.callee);
        for (const argument of node.arguments) this.visit(argument);
        return;
      case 'Property': return this.property(node);
      default: children(node, child => this.visit(child));
    }
  }

  /** A value of which only is asked whether it is there: that reads nothing of it. */
  asked(node) {
    switch (node.type) {
      case 'Identifier': return;
      case 'MemberExpression':
      case 'ChainExpression': return this.target(node);
      case 'UnaryExpression': return node.operator === '!' ? this.asked(node.argument) : this.visit(node);
      case 'LogicalExpression':
        if (node.operator === '??') return this.visit(node);
        this.asked(node.left);
        return this.asked(node.right);
      case 'BinaryExpression':
        if (!/^[!=]==?$/.test(node.operator) || ![node.left, node.right].some(isAbsence)) return this.visit(node);
        return [node.left, node.right].forEach(side => this.asked(side));
      default: return this.visit(node);
    }
  }

  property(node) {
    if (node.computed) this.visit(node.key);
    if (node.value.type === 'AssignmentPattern') return this.patternParts(node.value);
    if (!node.shorthand) return this.visit(node.value);
    if (node.value.name === '__proto__' || !this.shared(node.value.variable)) return;
    this.open(node.value.start, node.value.name + ':');
    this.identifier(node.value, 'v');
  }

  identifier(node, hook) {
    const variable = node.variable;
    const kind = this.shared(variable);
    if (!kind) return;
    if (hook === 'w' && kind === 'module' && (variable.kind === 'const' || variable.kind === 'import')) return;
    this.wrap(node, `${HOOK}.${hook}(`, this.variableArguments(node, variable) + ')');
  }

  /** An assignment's or an update's left side, a tag, a loop's variable: itself not hooked, what is inside is. */
  target(node) {
    switch (node.type) {
      case 'MemberExpression':
        if (node.object.type !== 'Super') this.base(node.object);
        if (node.computed) this.visit(node.property);
        return;
      case 'ObjectPattern': case 'ArrayPattern': case 'AssignmentPattern': case 'RestElement': return this.patternParts(node);
      case 'ChainExpression': return this.rawLink(node.expression);
      case 'Identifier': return;
      default: if (node.type !== 'Super') this.visit(node);
    }
  }

  patternParts(node) {
    if (!node) return;
    switch (node.type) {
      case 'ObjectPattern':
        for (const property of node.properties) {
          if (property.type === 'RestElement') { this.patternParts(property.argument); continue; }
          if (property.computed) this.visit(property.key);
          this.patternParts(property.value);
        }
        return;
      case 'ArrayPattern': for (const element of node.elements) this.patternParts(element); return;
      case 'AssignmentPattern': this.patternParts(node.left); return this.visit(node.right);
      case 'RestElement': return this.patternParts(node.argument);
      case 'MemberExpression': return this.target(node);
    }
  }

  /** The object of a member: remembered, searched only if the member turns out to hold a canary. */
  base(node) {
    if (node.type === 'Identifier') return this.identifier(node, 'w');
    if (node.type === 'MemberExpression') return this.member(node, 'b');
    return this.visit(node);
  }

  /** Whether a link's object may be taken out of its optional chain without losing the short circuit. */
  separable(object, optional) {
    if (optional) return true;
    for (let node = object; node && (node.type === 'MemberExpression' || node.type === 'CallExpression');) {
      if (node.optional) return false;
      node = node.type === 'MemberExpression' ? node.object : node.callee;
    }
    return true;
  }

  // Links inside a chain that may not be taken out: only their keys and arguments.
  rawLink(node) {
    if (node.type === 'MemberExpression') {
      if (this.separable(node.object, node.optional)) { if (node.object.type !== 'Super') this.base(node.object); } else this.rawLink(node.object);
      if (node.computed) this.visit(node.property);
    } else if (node.type === 'CallExpression') {
      this.rawCallee(node.callee);
      for (const argument of node.arguments) this.visit(argument);
    } else this.base(node);
  }

  rawCallee(callee) {
    if (callee.type === 'ChainExpression') this.rawLink(callee.expression);   // `(a?.b)()` keeps its `this`
    else if (callee.type === 'MemberExpression' || callee.type === 'CallExpression') this.rawLink(callee);
    else if (callee.type !== 'Identifier' && callee.type !== 'Super') this.visit(callee);
  }

  /** Hooks the object of a member; says the text by which it can be named behind the expression. */
  receiver(object, optional) {
    if (object.type === 'Super') return 'this';
    if (!this.separable(object, optional)) { this.rawLink(object); return 'undefined'; }
    if (isSimple(object)) {
      this.base(object);
      return this.source.slice(object.start, object.end);
    }
    if (namesItself(object)) { this.visit(object); return 'undefined'; }   // an assignment would give it a name
    const name = this.temporary();
    this.wrap(object, `(${name}=`, ')');
    this.base(object);
    return name;
  }

  /** The key of a member: known now, or the text by which it can be named behind the expression. */
  key(node) {
    if (!node.computed) return { known: node.property.type === 'PrivateIdentifier' ? '#' + node.property.name : node.property.name };
    const property = node.property;
    if (property.type === 'Literal') return { known: String(property.value).slice(0, 80) };
    if (property.type === 'Identifier') { this.visit(property); return { text: property.name }; }
    const name = this.temporary();
    this.wrap(property, `${name}=(`, ')');
    this.visit(property);
    return { text: name };
  }

  member(node, hook) {
    if (!this.hooked) {
      if (node.object.type !== 'Super') this.visit(node.object);
      if (node.computed) this.visit(node.property);
      return;
    }
    if (node.object.type === 'Super' || (node.object.type === 'MetaProperty')) {
      if (node.computed) this.visit(node.property);
      return;
    }
    if (!node.computed && node.property.name === 'length') return this.target(node);   // a number
    const order = this.sequence++;
    this.open(node.start, `${HOOK}.${hook}(`);
    const object = this.receiver(node.object, node.optional);
    const key = this.key(node);
    let module = 0;
    const variable = node.object.type === 'Identifier' ? node.object.variable : null;
    if (variable && variable.module && variable.module[1] === '*' && this.options.resolve) module = this.options.resolve(variable.module[0]) || 0;
    const site = this.site(this.propertyStart(node), node.computed ? 'item' : 'attribute', key.known, { path: this.staticPath(node.object), module });
    this.close(node.end, `,${object},${site}${key.text ? ',' + key.text : ''})`, order);
  }

  // A member is where its object begins: that is the line people name, if the chain is broken over lines the property's.
  propertyStart(node) {
    const [first] = this.place(node.start);
    const [last] = this.place(node.property.start);
    return first === last ? node.start : node.property.start;
  }

  call(node) {
    const callee = node.callee;
    const plain = () => { this.rawCallee(callee); for (const argument of node.arguments) this.visit(argument); };
    if (!this.hooked || callee.type === 'Super') return plain();
    if (callee.type === 'Identifier' && (callee.name === 'eval' || callee.name === 'require')) return plain();
    const order = this.sequence++;
    this.open(node.start, `${HOOK}.r(`);
    let object = 'undefined';
    let name = null;
    let path = null;
    if (callee.type === 'MemberExpression') {
      // In `a?.b(c)` the callee's object is taken out only where that keeps the chain.
      object = this.receiver(callee.object, callee.optional);
      if (callee.computed) this.visit(callee.property);
      else name = callee.property.name;
      if (callee.object.type !== 'Super') path = this.staticPath(callee.object);
    } else if (callee.type === 'ChainExpression' || (callee.type === 'CallExpression' && !this.separable(callee, node.optional))) {
      this.rawCallee(callee);
    } else if (callee.type !== 'Identifier') {
      this.visit(callee);
    } else name = callee.name;
    let kind = 'call';
    let flag = 0;
    if (callee.type === 'MemberExpression' && name) flag = WRITERS.has(name) ? 1 : READERS.has(name) ? 2 : 0;
    if (ASSIGNERS.has(name) && node.arguments.length > 1) flag = 3;
    const first = node.arguments[0];
    let key = null;
    let keyText = '';
    if (flag && first && first.type !== 'SpreadElement' && !namesItself(first)) {
      if (flag === 3) keyText = 'argument';
      else if (KEYED.has(name) && (name === 'get' || node.arguments.length > 1 || READERS.has(name))) {
        if (first.type === 'Literal') key = String(first.value).slice(0, 80);
        else keyText = 'argument';
      }
    }
    const [line] = this.place(node.start);
    const at = callee.type === 'MemberExpression' && this.place(callee.property.start)[0] !== line ? callee.property.start : node.start;
    const site = this.site(at, kind, key, { callee: this.sourceOf(callee), path, flag });
    let behind = '';
    for (const [index, argument] of node.arguments.entries()) {
      if (argument.type === 'SpreadElement') { this.visit(argument); continue; }
      if (index === 0 && keyText) {
        const text = argument.type === 'Identifier' ? argument.name : this.temporary();
        behind = ',' + text;
        if (argument.type !== 'Identifier') this.wrap(argument, `${text}=`, '');
      }
      const inert = argument.type === 'Literal' || isFunction(argument) || argument.type === 'ClassExpression' || argument.type === 'ThisExpression';
      if (!inert) this.wrap(argument, `${HOOK}.a(`, `,${site})`);
      this.visit(argument);
    }
    this.close(node.end, `,${object},${site}${behind})`, order);
    return object;
  }

  assignment(node) {
    const { left, right, operator } = node;
    if (!this.hooked) { this.target(left); return this.visit(right); }
    const logical = operator === '&&=' || operator === '||=' || operator === '??=';
    const kind = operator === '=' || logical ? null : 'augmented';
    if (logical && namesItself(right)) { this.target(left); return this.visit(right); }
    if (left.type === 'Identifier') {
      const variable = left.variable;
      const outlives = variable ? this.shared(variable) || (variable.captured && variable.scope.unit === this.unit) : !logical;
      if (!outlives) return this.visit(right);
      const order = this.sequence++;
      this.open(node.start, `${HOOK}.${logical ? 'z' : 'u'}(`);
      const more = variable
        ? this.variableArguments(left, variable, { flag: kind ? 4 : 0 })
        : ',' + this.site(left.start, 'global', left.name, { flag: 5 });
      this.value(right, logical, more);
      this.close(node.end, more + ')', order);
      return;
    }
    if (left.type === 'MemberExpression' && left.object.type !== 'Super') {
      const order = this.sequence++;
      this.open(node.start, `${HOOK}.${logical ? 'y' : 't'}(`);
      const object = this.receiver(left.object, false);
      const key = this.key(left);
      const site = this.site(this.propertyStart(left), kind || (left.computed ? 'item' : 'attribute'), key.known, { path: this.staticPath(left.object) });
      this.value(right, logical, ',' + site);
      this.close(node.end, `,${object},${site}${key.text ? ',' + key.text : ''})`, order);
      return;
    }
    if (left.type === 'ObjectPattern' || left.type === 'ArrayPattern') return this.patternAssignment(node);
    this.target(left);
    this.visit(right);
  }

  // The right side of `??=` and its like: says that it was evaluated, so the store happened.
  value(right, logical, more) {
    if (logical) this.wrap(right, `${HOOK}.q(`, ',' + more.split(',')[1] + ')');
    this.visit(right);
  }

  patternAssignment(node) {
    const notes = [];
    const collect = part => {
      if (!part) return;
      switch (part.type) {
        case 'Identifier': {
          const variable = part.variable;
          if (variable && (this.shared(variable) || (variable.captured && variable.scope.unit === this.unit))) notes.push(`${HOOK}.u(${part.name}${this.variableArguments(part, variable)})`);
          return;
        }
        case 'MemberExpression':
          if (isSimple(part.object) && !part.computed && part.property.type === 'Identifier') {
            notes.push(`${HOOK}.j(${this.source.slice(part.object.start, part.object.end)},${this.site(part.start, 'attribute', part.property.name, { path: this.staticPath(part.object) })})`);
          }
          return;
        case 'ObjectPattern': for (const property of part.properties) collect(property.type === 'RestElement' ? property.argument : property.value); return;
        case 'ArrayPattern': part.elements.forEach(collect); return;
        case 'AssignmentPattern': return collect(part.left);
        case 'RestElement': return collect(part.argument);
      }
    };
    collect(node.left);
    if (notes.length) this.wrap(node, `${HOOK}.d(`, `,${notes.join(',')})`);
    this.patternParts(node.left);
    this.takenApart(node.left, node.right);
  }

  /** The right side of a pattern: `const { name } = account` loads `name`. */
  takenApart(pattern, right) {
    const keys = pattern.type === 'ArrayPattern'
      ? pattern.elements.map((element, index) => element && element.type !== 'RestElement' ? [element, String(index)] : null)
      : pattern.properties.map(one => one.type === 'Property' && !one.computed ? [one, String(one.key.name ?? one.key.value)] : null);
    const known = keys.filter(Boolean).slice(0, ITEMS_OF_A_PATTERN);
    if (!known.length || !this.hooked) return this.visit(right);
    const path = this.staticPath(right);
    const sites = known.map(([part, key]) => this.site(part.start, 'attribute', key, { path }));
    this.wrap(right, `${HOOK}.o(`, `,${sites[0]},${sites.length})`);
    this.base(right);
  }

  declarator(node, declaration) {
    this.patternParts(node.id);
    if (!node.init) return;
    if (node.id.type !== 'Identifier') return this.takenApart(node.id, node.init);
    const variable = node.id.type === 'Identifier' ? node.id.variable : null;
    if (variable && variable.captured && this.hooked && variable.scope.unit === this.unit && !namesItself(node.init) && declaration.kind !== 'using' && declaration.kind !== 'await using') {
      this.wrap(node.init, `${HOOK}.u(`, this.ownArguments(node.id, variable) + ')');
    }
    this.visit(node.init);
  }

  forEachNode(node) {
    if (node.left.type === 'VariableDeclaration') {
      for (const one of node.left.declarations) this.patternParts(one.id);
      if (this.hooked && node.body.type === 'BlockStatement') {
        const notes = node.left.declarations.flatMap(one => one.declared.filter(variable => variable.captured && variable.scope.unit === this.unit).map(variable => this.variableNote(one.id, variable)));
        if (notes.length) this.head(node.body.start + 1, notes.join(';') + ';');
      }
    } else this.target(node.left);
    this.visit(node.right);
    this.visit(node.body);
  }

  functionNode(node) {
    const outside = this.unit;
    const unit = this.names.unitOf.get(node);
    const order = this.sequence++;
    this.unit = unit;
    this.quiet++;
    for (const parameter of node.params) this.patternParts(parameter);
    this.quiet--;
    const block = node.body.type === 'BlockStatement';
    if (block) for (const statement of node.body.body) this.statementList(statement);
    else this.visit(node.body);
    const notes = [];
    if (this.hooked) {
      for (const variable of unit.parameters) {
        if (variable.captured && variable.name !== 'arguments') notes.push(this.variableNote(node, variable));
      }
    }
    let head = '';
    const declared = [];
    if (unit.token) declared.push(`${HOOK}k${unit.number}=${HOOK}.k()`);
    for (let index = 1; index <= unit.temporaries; index++) declared.push(HOOK + index);
    if (declared.length) head = `var ${declared.join(',')};`;
    if (notes.length) head += notes.join(';') + ';';
    if (head) {
      if (block) {
        let position = node.body.start + 1;
        for (const statement of node.body.body) {
          if (!statement.directive) break;
          position = statement.end;
          head = ';' + head;
        }
        this.head(position, head);
      } else {
        this.head(this.arrowEnd(node), `{${head}return (`);
        this.close(node.end, ');}', order);
      }
    }
    this.unit = outside;
  }

  // The position behind `=>`.
  arrowEnd(node) {
    const source = this.source;
    let position = node.params.length ? node.params[node.params.length - 1].end : node.start;
    for (;;) {
      if (source.startsWith('//', position)) while (!/[\n\r\u2028\u2029]/.test(source[position])) position++;
      else if (source.startsWith('/*', position)) position = source.indexOf('*/', position) + 2;
      else if (source.startsWith('=>', position)) return position + 2;
      else position++;
    }
  }

  classNode(node) {
    if (node.superClass && isFunction(node.superClass)) this.visit(node.superClass);
    for (const member of node.body.body) {
      if (member.type !== 'StaticBlock' && member.computed) this.visit(member.key);
      const outside = this.unit;
      this.unit = this.names.unitOf.get(member) || outside;
      if (member.type === 'StaticBlock') for (const statement of member.body) this.visit(statement);
      else if (member.value) this.visit(member.value);
      this.unit = outside;
    }
  }

  finish(program) {
    const first = program.body.find(statement => !statement.directive);
    const getters = [...this.names.top.names.keys()].filter(name => name !== 'arguments' && name !== 'await').map(name => `${JSON.stringify(name)}:()=>${name}`);
    let tail = '', table = null;
    if (first) {
      const exported = this.options.isModule ? '' : ',()=>module.exports';
      const http2 = /['"](node:)?http2['"]/.test(this.source) ? `${HOOK}.h();` : '';
      const { file, base, tableAt } = this.options;
      const begin = { file, base, count: this.sites.length, ms: Math.round(performance.now() - this.options.started) };
      table = JSON.stringify({ ...begin, files: this.files, units: this.names.units.map(unit => unit.name), texts: Object.fromEntries(this.texts), sites: this.sites });
      // A table is longer than its module, and is needed by few: it need not be compiled.
      const told = tableAt ? JSON.stringify(JSON.stringify({ ...begin, at: tableAt })) : `${HOOK}T()`;
      this.head(first.start, `${http2}${HOOK}.m(${told},()=>({${getters.join(',')}})${exported});`);
      if (!tableAt) tail = `\nfunction ${HOOK}T(){return ${JSON.stringify(table)}}\n`;
    }
    this.inserts.sort((a, b) => a.position - b.position || a.rank - b.rank || a.order - b.order);
    let code = '';
    let from = 0;
    for (const { position, text } of this.inserts) {
      code += this.source.slice(from, position);
      from = position;
      const last = position > 0 && text !== '' && /[\w$]/.test(text[0]) ? code[code.length - 1] : '';
      code += last && /[\w$\u0080-\uffff]/.test(last) ? ' ' + text : text;
    }
    return { code: code + this.source.slice(from) + tail, sites: this.sites.length, table };
  }
}

function parse(source, isModule) {
  return acorn.parse(source, { ecmaVersion: 'latest', sourceType: isModule ? 'module' : 'commonjs', allowHashBang: true });
}

/**
 * Rewrites a module. `options`: file (as it is reported), name (of the module in paths), base (first number of a place),
 * isModule, path (on disk, for the source map), resolve (specifier -> file of another module of the application, or null), tableAt
 * (the file in which the caller will keep the table of places; without it that is a part of the code).
 * Throws if it cannot; the module then runs as it is.
 */
function rewrite(source, options) {
  if (source.includes(HOOK)) throw new Error(`uses the name ${HOOK}`);
  const started = performance.now();
  const program = parse(source, options.isModule);
  const names = new Names(options.isModule).run(program);
  const sourceMap = options.path ? readSourceMap(source, options.path) : null;
  return new Rewriter(source, { ...options, sourceMap, started }).run(program, names);
}

module.exports = { rewrite, parse, decodeMappings, HOOK };
