"""Rewrites the syntax tree of a module: loads and stores of attributes, items, module variables and captured variables, and
calls, inside functions only, go through the hooks of `runner_probe`.

    shared.email            _rp_la(shared.email, shared, SITE)              the value was read; the hook looks at it
    f().email               _rp_ga(f(), 'email', SITE)                      the hook reads, as f() must run once only
    shared.email = value    shared.email = _rp_sa(value, shared, SITE)
    f().email = value       _rp_ta(f(), 'email', SITE).v = value            an object whose attribute `v` stands for the target
    cache.get(key)          _rp_mr(cache.get(key), cache, key, SITE)        a method by which containers are only read
    log.append(value)       _rp_m(SITE, log, 'append', value)               a method by which containers are written or read
    lookup(value)           _rp_r(lookup(value), lookup, SITE)

A site is a constant text in the code: see `site_text` in `runner_probe`. Where a hook reads for the second time what the code
has read, it is a plain name, so that nothing runs twice. A hook is a built-in name: a module gets no new names, and its compiled
code is stored and loaded as that of any other.
"""

import ast
import warnings

from runner_probe import BASE, PLAIN_READERS, READERS, RECEIVERS, SCHEDULERS, WRITERS, built_in, site_of, site_text

# Calls of these are left as they are: some depend on the frame they are called in, the others give nothing that was kept.
PLAIN_FUNCTIONS = frozenset(
    "super locals globals vars dir eval exec len isinstance issubclass int float bool complex range enumerate zip map filter reversed"
    " print type id hash callable hasattr iter open min max sum abs round ord chr any all repr str bytes bytearray memoryview format list dict tuple set"
    " frozenset sorted slice property staticmethod classmethod object compile __import__ breakpoint input delattr divmod pow bin hex oct aiter anext"
    .split()
)
# Functions that ask of a value what is no part of it.
ASKING = frozenset("len isinstance issubclass callable id type bool".split())
PLAIN_METHODS = frozenset(
    "format join split rsplit splitlines strip lstrip rstrip encode decode lower upper title capitalize casefold replace startswith endswith partition"
    " rpartition removeprefix removesuffix index find rfind count isdigit isalpha isalnum isspace zfill ljust rjust center translate keys sort reverse"
    " clear remove discard close cancel done debug info warning error exception critical log total_seconds isoformat hexdigest digest group groups"
    .split()
)
SITE_OF_CALL = {built_in("_rp_m"): 0, built_in("_rp_m1"): 0, built_in("_rp_mr"): 3, built_in("_rp_r"): 2}  # which argument is the site
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def mangled(name, class_name):
    """A private name as the compiler writes it."""
    if class_name and name.startswith("__") and not name.endswith("__") and "." not in name and class_name.strip("_"):
        return f"_{class_name.lstrip('_')}{name}"
    return name


class Names(ast.NodeVisitor):
    """The names that a function (or a module) binds, without those of functions, classes and comprehensions inside it."""

    def __init__(self):
        self.bound, self.globals, self.nonlocals = set(), set(), set()
        self.literals, self.imported = {}, set()
        self.comprehension = 0

    def visit_Name(self, node):
        if not isinstance(node.ctx, ast.Load) and not self.comprehension:
            self.bound.add(node.id)

    def visit_NamedExpr(self, node):
        self.bound.add(node.target.id)
        self.visit(node.value)

    def visit_function(self, node):
        self.bound.add(node.name)
        for inner in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(inner)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_function

    def visit_Lambda(self, node):
        for inner in [*node.args.defaults, *filter(None, node.args.kw_defaults)]:
            self.visit(inner)

    def visit_ClassDef(self, node):
        self.bound.add(node.name)
        for inner in [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]:
            self.visit(inner)

    def visit_comprehension_of(self, node):
        self.comprehension += 1
        self.generic_visit(node)
        self.comprehension -= 1

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_comprehension_of

    def visit_Import(self, node):
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            self.bound.add(name)
            self.imported.add(name)

    visit_ImportFrom = visit_Import

    def visit_Global(self, node):
        self.globals.update(node.names)

    def visit_Nonlocal(self, node):
        self.nonlocals.update(node.names)

    def visit_ExceptHandler(self, node):
        if node.name:
            self.bound.add(node.name)
        self.generic_visit(node)

    def visit_capture(self, node):
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if name:
            self.bound.add(name)
        self.generic_visit(node)

    visit_MatchAs = visit_MatchStar = visit_MatchMapping = visit_capture


class Scope:
    """A function: what its names are."""

    def __init__(self, node, parent, class_name, qualified):
        self.parent, self.class_name, self.qualified = parent, class_name, qualified
        names = Names()
        for inner in node.body if isinstance(node.body, list) else [node.body]:
            names.visit(inner)
        arguments = node.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        self.bound = names.bound | {parameter.arg for parameter in parameters if parameter}
        self.bound |= {parameter.name for parameter in getattr(node, "type_params", [])}
        self.bound -= names.globals | names.nonlocals
        self.globals, self.nonlocals = names.globals, names.nonlocals
        self.inner = []  # the targets of the comprehensions that are being rewritten
        positional = [*arguments.posonlyargs, *arguments.args]
        pairs = [*zip(positional[len(positional) - len(arguments.defaults) :], arguments.defaults), *zip(arguments.kwonlyargs, arguments.kw_defaults)]
        self.shared = {parameter.arg for parameter, value in pairs if value is not None and not isinstance(value, (ast.Constant, ast.UnaryOp))}

    def kind(self, name):
        """`local`, `closure` or `global`."""
        if any(name in targets for targets in self.inner):
            return "local"
        if name in self.globals:
            return "global"
        if name in self.nonlocals:
            return "closure"
        if name in self.bound:
            return "local"
        outer = self.parent
        while outer:
            if name in outer.globals:
                return "global"
            if name in outer.bound or any(name in targets for targets in outer.inner):
                return "closure"
            outer = outer.parent
        return "global"


def statements_in(body):
    """All statements, also those inside others."""
    level = list(body)
    while level:
        node = level.pop()
        yield node
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            level += getattr(node, field, ())


def called_text(node):
    """The text of a callee that consists of names: `app.cache.get`."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "…")
    return ".".join(reversed(parts))[:120]


class Rewriter:
    def __init__(self, tree, file):
        self.file = file
        self.scope = None
        self.class_name = None
        self.qualified = []
        names = Names()
        for statement in tree.body:
            names.visit(statement)
        # Module variables: assigned at module level, or by a function that declares them global. Numbers never hold a text.
        numbers = {}
        inner = list(statements_in(tree.body))
        for node in inner:
            if isinstance(node, ast.Global):
                names.bound |= set(node.names)
                numbers.update(dict.fromkeys(node.names, False))
        for statement in tree.body:
            if isinstance(statement, ast.Assign):
                number = isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, (int, float))
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        numbers[target.id] = numbers.get(target.id, True) and number
        definitions = {statement.name for statement in tree.body if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
        self.from_modules = {
            alias.asname or alias.name for statement in inner if isinstance(statement, ast.ImportFrom) for alias in statement.names
        }
        plain_imports = {
            alias.asname or alias.name.partition(".")[0] for statement in tree.body if isinstance(statement, ast.Import) for alias in statement.names
        }
        assigned = {node.id for statement in tree.body for node in self.stored_names(statement)}
        self.imported = names.imported - assigned
        self.variables = (names.bound | self.from_modules) - plain_imports
        self.variables -= {name for name, number in numbers.items() if number}
        self.variables -= definitions - assigned
        self.own_variables = self.variables - self.from_modules

    @staticmethod
    def stored_names(statement):
        """The names that a statement of the module itself assigns."""
        level = [statement]
        while level:
            node = level.pop()
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node
            level += ast.iter_child_nodes(node)

    # Parts of the new tree

    def site(self, node, key=None, path=None, kind=None, callee=None, chain=None):
        function = ".".join(self.qualified) or "<module>"
        return self.constant(site_text((self.file, node.lineno, node.col_offset + 1, function, key, path, kind, callee, chain)), node)

    @staticmethod
    def constant(value, node):
        return ast.copy_location(ast.Constant(value, None), node)

    @staticmethod
    def name(identifier, node, context=None):
        return ast.copy_location(ast.Name(identifier, context or ast.Load()), node)

    def call(self, hook, arguments, node):
        return ast.copy_location(ast.Call(self.name(built_in(hook), node), arguments, []), node)

    def again(self, node):
        """A plain name or constant once more."""
        if isinstance(node, ast.Name):
            return self.name(node.id, node)
        return self.constant(node.value, node)

    def path_of(self, node):
        """`shared` or `state.cache`, if the expression consists of names and begins with a module-level one; else None."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(mangled(node.attr, self.class_name))
            node = node.value
        if isinstance(node, ast.Name) and self.scope.kind(node.id) == "global" and node.id in self.own_variables:
            return ".".join([node.id, *reversed(parts)])
        return None

    @staticmethod
    def is_name(node):
        return isinstance(node, ast.Name) and node.id != "__class__"

    # Walking

    def visit(self, node):
        method = getattr(self, "visit_" + node.__class__.__name__, None)
        return method(node) if method else self.inside(node)

    def inside(self, node):
        """Rewrites the children of a node."""
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                new = []
                for item in value:
                    if isinstance(item, ast.AST):
                        item = self.visit(item)
                        if isinstance(item, list):
                            new += item
                            continue
                    new.append(item)
                value[:] = new
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        return node

    def visit_all(self, nodes):
        nodes[:] = [self.visit(node) for node in nodes]

    def unchanged(self, node):
        return node

    visit_Import = visit_ImportFrom = visit_Global = visit_Nonlocal = visit_Constant = visit_TypeAlias = unchanged

    # Scopes

    def visit_FunctionDef(self, node):
        if self.scope:
            self.visit_all(node.decorator_list)
            self.visit_defaults(node.args)
        elif self.class_name is None:
            pass
        return self.function(node, node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node):
        if self.scope:
            self.visit_defaults(node.args)
        return self.function(node, "<lambda>")

    def visit_defaults(self, arguments):
        self.visit_all(arguments.defaults)
        arguments.kw_defaults[:] = [value and self.visit(value) for value in arguments.kw_defaults]

    def function(self, node, name):
        outer, qualified = self.scope, self.qualified
        self.qualified = [*qualified, *(["<locals>"] if outer and self.in_function else []), name]
        in_function, self.in_function = self.in_function, True
        self.scope = Scope(node, outer, self.class_name, self.qualified)
        if isinstance(node.body, list):
            body = []
            for statement in node.body:
                new = self.visit(statement)
                body += new if isinstance(new, list) else [new]
            if name == "data_received" and not isinstance(node, ast.AsyncFunctionDef) and len(node.args.args) == 2:
                # The application's own server: what an asyncio protocol receives.
                connection, data = node.args.args
                begin = ast.Expr(self.call("_rp_in", [self.name(data.arg, data), self.name(connection.arg, connection)], data))
                docstring = bool(body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) and isinstance(body[0].value.value, str))
                body.insert(int(docstring), ast.copy_location(begin, body[-1] if not docstring else body[0]))
            node.body[:] = body
        else:
            node.body = self.visit(node.body)
        self.scope, self.qualified, self.in_function = outer, qualified, in_function
        return node

    in_function = False

    def visit_ClassDef(self, node):
        # The body of a class runs as it is, but for the functions in it.
        outer, in_function, qualified = self.class_name, self.in_function, self.qualified
        self.qualified = [*qualified, *(["<locals>"] if in_function else []), node.name]
        self.class_name, self.in_function = node.name, False
        self.only_functions(node.body)
        self.class_name, self.in_function, self.qualified = outer, in_function, qualified
        return node

    def only_functions(self, statements):
        """Rewrites the functions among statements that themselves stay as they are (of a module or of a class)."""
        level = list(reversed(statements))
        while level:
            node = level.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.function(node, node.name)
                level += [inner for inner in [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]]
            elif isinstance(node, ast.Lambda):
                self.function(node, "<lambda>")
            elif isinstance(node, ast.ClassDef):
                self.visit_ClassDef(node)
                level += [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)]
            elif not isinstance(node, COMPREHENSIONS):
                level += reversed(list(ast.iter_child_nodes(node)))

    def comprehension(self, node):
        targets = {
            name.id for generator in node.generators for name in ast.walk(generator.target) if isinstance(name, ast.Name)
        }
        first = node.generators[0]
        first.iter = self.whole(first.iter)
        self.scope.inner.append(targets)
        for generator in node.generators:
            if generator is not first:
                generator.iter = self.visit(generator.iter)
            generator.target = self.visit(generator.target)
            self.visit_all(generator.ifs)
        if isinstance(node, ast.DictComp):
            node.key, node.value = self.visit(node.key), self.visit(node.value)
        else:
            node.elt = self.visit(node.elt)
        self.scope.inner.pop()
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = comprehension

    # Statements

    def visit_Assign(self, node):
        node.value = self.visit(node.value)
        targets = []
        for target in node.targets:
            targets.append(self.target(target, node))
        node.targets = targets
        return [node, *self.after(targets, node)] if any(isinstance(target, (ast.Tuple, ast.List)) for target in targets) else node

    def target(self, target, node):
        """The target of an assignment whose value a hook can see: a name, attribute or item."""
        if isinstance(target, ast.Name):
            kind = self.scope.kind(target.id)
            if kind == "global" or kind == "closure":
                node.value = self.store_of_name(target, node.value, kind)
            return target
        if isinstance(target, ast.Attribute) and self.is_name(target.value):
            site = self.site(target, mangled(target.attr, self.class_name), self.path_of(target.value))
            node.value = self.call("_rp_sa", [node.value, self.again(target.value), site], node.value)
            return target
        if isinstance(target, ast.Subscript) and self.is_name(target.value):
            key = self.key(target)
            if isinstance(key, ast.Constant) or self.is_name(key):
                site = self.site(target, None, self.path_of(target.value))
                node.value = self.call("_rp_si", [node.value, self.again(target.value), self.again(key), site], node.value)
                return target
        return self.visit(target)

    def store_of_name(self, target, value, kind):
        site = self.site(target, target.id)
        if kind == "global":
            return self.call("_rp_sg", [value, site], value)
        return self.call("_rp_sc", [value, self.cell(target), site], value)

    def cell(self, name):
        """A function that captures the same variable: its closure has the cell."""
        nothing = ast.arguments(posonlyargs=[], args=[], vararg=None, kwonlyargs=[], kw_defaults=[], kwarg=None, defaults=[])
        return ast.copy_location(ast.Lambda(nothing, self.name(name.id, name)), name)

    def after(self, targets, node):
        """Statements that look at module and captured variables among the names of `targets`, once they are assigned."""
        statements = []
        for target in targets:
            for name in ast.walk(target):
                if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store) and self.scope.kind(name.id) in ("global", "closure"):
                    value = self.store_of_name(name, self.name(name.id, name), self.scope.kind(name.id))
                    statements.append(ast.copy_location(ast.Expr(value), name))
        return statements

    def visit_AnnAssign(self, node):
        if node.value is None:
            return node
        node.value = self.visit(node.value)
        if isinstance(node.target, ast.Name):
            return node
        node.target = self.target(node.target, node)
        return node

    def visit_AugAssign(self, node):
        node.value = self.visit(node.value)
        target = node.target
        if isinstance(target, ast.Name):
            kind = self.scope.kind(target.id)
            if kind == "local":
                return node
            value = self.store_of_name(target, self.name(target.id, target), kind)
            return [node, ast.copy_location(ast.Expr(value), node)]
        hook = "_rp_aa" if isinstance(target, ast.Attribute) else "_rp_ai"
        node.target = self.stands_for(target, hook)
        return node

    def stands_for(self, target, hook):
        base = target.value if self.is_name(target.value) else self.visit(target.value)
        if isinstance(target, ast.Attribute):
            key = mangled(target.attr, self.class_name)
            arguments = [base, self.constant(key, target), self.site(target, key, self.path_of(target.value))]
        else:
            path = self.path_of(target.value)
            arguments = [base, self.visited_key(target), self.site(target, None, path)]
        return ast.copy_location(ast.Attribute(self.call(hook, arguments, target), "v", ast.Store()), target)

    def visit_For(self, node):
        node.target, node.iter = self.visit(node.target), self.whole(node.iter)
        self.statements(node.body)
        self.statements(node.orelse)
        node.body[:0] = self.after([node.target], node)
        return node

    visit_AsyncFor = visit_For

    def visit_With(self, node):
        for item in node.items:
            item.context_expr = self.visit(item.context_expr)
            if item.optional_vars:
                item.optional_vars = self.visit(item.optional_vars)
        self.statements(node.body)
        node.body[:0] = self.after([item.optional_vars for item in node.items if item.optional_vars], node)
        return node

    visit_AsyncWith = visit_With

    def statements(self, body):
        new = []
        for statement in body:
            done = self.visit(statement)
            new += done if isinstance(done, list) else [done]
        body[:] = new

    def visit_ExceptHandler(self, node):
        # Which exceptions are caught is left alone.
        self.statements(node.body)
        return node

    def visit_match_case(self, node):
        # Patterns are no expressions.
        if node.guard:
            node.guard = self.visit(node.guard)
        self.statements(node.body)
        return node

    # Expressions

    def visit_NamedExpr(self, node):
        node.value = self.visit(node.value)
        kind = self.scope.kind(node.target.id)
        if kind != "local" and not any(node.target.id in targets for targets in self.scope.inner):
            node.value = self.store_of_name(node.target, node.value, kind)
        return node

    def visit_Name(self, node):
        if not isinstance(node.ctx, ast.Load) or node.id == "__class__":
            return node
        kind = self.scope.kind(node.id)
        if kind == "local":
            if node.id in self.scope.shared and not any(node.id in targets for targets in self.scope.inner):
                return self.call("_rp_ld", [node, self.site(node, node.id)], node)
            return node
        if kind == "closure":
            return self.call("_rp_lc", [node, self.cell(node), self.site(node, node.id)], node)
        if node.id in self.variables:
            return self.call("_rp_lg", [node, self.site(node, node.id)], node)
        return node

    def base(self, node):
        """The object of an attribute, item or method: rewritten within, but not looked at itself, as what is read from it is."""
        if isinstance(node, ast.Name):
            return node
        if isinstance(node, ast.Attribute) and not self.is_super(node.value):
            node.value = self.base(node.value)
            return node
        if isinstance(node, ast.Subscript):
            node.value = self.base(node.value)
            if not isinstance(node.slice, ast.Slice):
                node.slice = self.visit(node.slice)
            return node
        call = self.visit(node)
        place = SITE_OF_CALL.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        if place is not None:
            # What a call gives, and from which something is read in turn: a container tells nothing by itself.
            site = call.args[place]
            parts = site_of(site.value)
            site.value = site_text((*parts[:6], BASE, *parts[7:]))
        return call

    def test(self, node):
        """An expression of which only is asked whether it is true, there, or of a type: its value goes nowhere."""
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Load):
            return self.base(node)
        if isinstance(node, ast.Name):
            return node
        return self.visit(node)

    def visit_If(self, node):
        node.test = self.test(node.test)
        self.statements(node.body)
        self.statements(node.orelse)
        return node

    visit_While = visit_If

    def visit_IfExp(self, node):
        node.test, node.body, node.orelse = self.test(node.test), self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_UnaryOp(self, node):
        node.operand = self.test(node.operand) if isinstance(node.op, ast.Not) else self.visit(node.operand)
        return node

    def visit_Compare(self, node):
        identity = all(isinstance(operation, (ast.Is, ast.IsNot)) for operation in node.ops)
        node.left = (self.test if identity else self.visit)(node.left)
        node.comparators[:] = [
            (self.test if identity or isinstance(operation, (ast.In, ast.NotIn)) else self.visit)(value)
            for operation, value in zip(node.ops, node.comparators)
        ]
        return node

    def whole(self, node):
        """A local variable whose value is used as a whole: iterated over, unpacked, matched, returned. What it holds is read."""
        if isinstance(node, ast.Name) and self.scope.kind(node.id) == "local" and node.id != "__class__":
            return self.call("_rp_ll", [node, self.site(node, node.id)], node)
        return self.visit(node)

    def visit_Return(self, node):
        if node.value:
            node.value = self.whole(node.value)
        return node

    def visit_Match(self, node):
        node.subject = self.whole(node.subject)
        for case in node.cases:
            self.visit_match_case(case)
        return node

    def visit_Dict(self, node):
        node.keys[:] = [key and self.visit(key) for key in node.keys]
        node.values[:] = [self.visit(value) if key else self.whole(value) for key, value in zip(node.keys, node.values)]
        return node

    def visit_Attribute(self, node):
        if isinstance(node.ctx, ast.Store):
            return self.stands_for(node, "_rp_ta")
        if isinstance(node.ctx, ast.Del):
            node.value = self.base(node.value)
            return node
        key, path = mangled(node.attr, self.class_name), self.path_of(node.value)
        if self.is_name(node.value):
            return self.call("_rp_la", [node, self.again(node.value), self.site(node, key, path)], node)
        if self.is_super(node.value):
            return node
        return self.call("_rp_ga", [self.base(node.value), self.constant(key, node), self.site(node, key, path)], node)

    @staticmethod
    def is_super(node):
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"

    @staticmethod
    def key(node):
        """The key of an item; before 3.9 it was wrapped."""
        return node.slice

    def visited_key(self, node):
        key = node.slice
        if isinstance(key, ast.Slice):
            return self.made_slice(key, node)
        if isinstance(key, ast.Tuple):
            if any(isinstance(part, ast.Starred) for part in key.elts):
                return self.visit(key)
            key.elts = [self.made_slice(part, node) if isinstance(part, ast.Slice) else self.visit(part) for part in key.elts]
            return key
        return self.visit(key)

    def made_slice(self, key, node):
        parts = [self.visit(part) if part else self.constant(None, node) for part in (key.lower, key.upper, key.step)]
        return self.call("_rp_slice", parts, node)

    def visit_Subscript(self, node):
        if isinstance(node.ctx, ast.Store):
            return self.stands_for(node, "_rp_ti")
        if isinstance(node.ctx, ast.Del):
            node.value = self.base(node.value)
            node.slice = self.visit(node.slice)
            return node
        path, key = self.path_of(node.value), node.slice
        if self.is_name(node.value) and (isinstance(key, ast.Constant) or self.is_name(key)):
            return self.call("_rp_li", [node, self.again(node.value), self.again(key), self.site(node, None, path)], node)
        site = self.site(node, None, path)
        return self.call("_rp_gi", [self.base(node.value), self.visited_key(node), site], node)

    def visit_Slice(self, node):
        return self.inside(node)

    def arguments(self, node):
        self.visit_all(node.args)
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value) if keyword.arg else self.whole(keyword.value)

    def visit_Starred(self, node):
        node.value = self.whole(node.value) if isinstance(node.ctx, ast.Load) else self.visit(node.value)
        return node

    def root(self, function):
        """The plain name that a callee begins with, read again, and the attributes from it to the receiver."""
        chain = []
        if isinstance(function, ast.Attribute):
            function = function.value
            while isinstance(function, ast.Attribute):
                chain.append(mangled(function.attr, self.class_name))
                function = function.value
        if self.is_name(function):
            return self.name(function.id, function), tuple(reversed(chain))
        return None, None

    def visit_Call(self, node, awaited=False):
        function = node.func
        if isinstance(function, ast.Name):
            name = function.id
            unshadowed = self.scope.kind(name) == "global" and name not in self.variables
            if name == "super" or unshadowed and name in PLAIN_FUNCTIONS:
                if unshadowed and name in ASKING and not node.keywords and not any(isinstance(argument, ast.Starred) for argument in node.args):
                    node.args[:] = [self.test(argument) for argument in node.args]
                elif name != "super":
                    self.arguments(node)
                return node
            starred = any(isinstance(argument, ast.Starred) for argument in node.args) or node.keywords
            if unshadowed and not starred:
                special = {"getattr": ("_rp_get", (2, 3)), "setattr": ("_rp_set", (3,)), "next": ("_rp_next", (1, 2))}.get(name)
                if special and len(node.args) in special[1]:
                    self.arguments(node)
                    return self.call(special[0], [self.site(node), *node.args], node)
            root, chain, callee = self.name(name, function), (), name
        elif isinstance(function, ast.Attribute):
            name = function.attr
            callee = called_text(function)
            path = self.path_of(function.value)
            if (name in WRITERS or name in READERS or name in SCHEDULERS) and not self.is_super(function.value):
                plain = name in PLAIN_READERS and len(node.args) < 3 and not node.keywords
                simple = (ast.Constant, ast.Name)
                if plain and self.is_name(function.value) and all(isinstance(argument, simple) for argument in node.args):
                    # The method is called as it was written; receiver and key are read again for the hook.
                    key = self.again(node.args[0]) if node.args else self.constant(None, node)
                    again = [self.again(function.value), key, self.site(node, name, path, None, callee)]
                    self.arguments(node)
                    return self.call("_rp_mr", [node, *again], node)
                receiver = self.base(function.value)
                self.arguments(node)
                if plain and len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
                    return self.call("_rp_m1", [self.site(node, name, path, None, callee), receiver, self.constant(name, function), *node.args], node)
                site = self.site(node, name, path, None, callee)
                call = self.call("_rp_m", [site, receiver, self.constant(name, function), *node.args], node)
                call.keywords = node.keywords
                return call
            root, chain = self.root(function)
            if self.is_super(function.value):
                root = chain = None
            else:
                function.value = self.visit(function.value) if name not in ("acquire", "release") else self.base(function.value)
            if name in PLAIN_METHODS:
                self.arguments(node)
                return node
        else:
            node.func = self.visit(function)
            root = chain = None
            callee = "…"
        self.arguments(node)
        if awaited:
            return node
        return self.call("_rp_r", [node, root or self.constant(None, node), self.site(node, None, None, None, callee, chain)], node)

    def visit_Await(self, node):
        inner = node.value
        hook, root, chain, callee, key = "_rp_r", None, None, "await", None
        if isinstance(inner, ast.Call):
            callee = called_text(inner.func)
            root, chain = self.root(inner.func)
            reader = inner
            if callee.rpartition(".")[2] in ("wait_for", "shield") and inner.args and isinstance(inner.args[0], ast.Call):
                reader = inner.args[0]  # `await asyncio.wait_for(queue.get(), 1)`
            if isinstance(reader.func, ast.Attribute) and reader.func.attr in READERS:
                hook, key = "_rp_w", reader.func.attr
                root, chain = self.root(reader.func)
            node.value = self.visit_Call(inner, awaited=True)
        elif isinstance(inner, ast.Name):
            root, chain, callee = self.name(inner.id, inner), (), inner.id
            node.value = inner
        else:
            node.value = self.visit(inner)
        site = self.site(node, key, None, "await", callee, chain)
        return self.call(hook, [node, root or self.constant(None, node), site], node)

    def visit_JoinedStr(self, node):
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit_FormattedValue(value)
        return node

    def visit_FormattedValue(self, node):
        node.value = self.visit(node.value)
        if node.format_spec:
            self.visit_JoinedStr(node.format_spec)
        return node

    # t-strings and whatever newer versions bring stay as they are.
    visit_TemplateStr = unchanged


def rewrite(source, path, file, script=False):
    """The code object of a module, rewritten, and the names that the module imports. `file` is how events call it."""
    tree = ast.parse(source, path)
    rewriter = Rewriter(tree, file)
    rewriter.only_functions(tree.body)
    if script:
        # A program that is started by `python app.py` has neither a specification nor a package.
        place = 0
        while place < len(tree.body) and (
            isinstance(tree.body[place], ast.ImportFrom) and tree.body[place].module == "__future__"
            or place == 0 and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant)
        ):
            place += 1
        tree.body[place:place] = ast.parse("__spec__ = __package__ = __cached__ = None").body
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the interpreter has said it when it compiled the module itself
        code = compile(tree, path, "exec", dont_inherit=True)
    return code, tuple(sorted(rewriter.imported))
