//! Where scripts reach into state: what stands behind the position that rhai hands to a native function.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use rhai::{AST, ASTNode, Engine, Expr, ImmutableString, Position, Stmt, Token};

use super::chain::{self, Link};
use super::event::{AccessManner, ScriptPlace};

/// Functions that look at a value and hand on nothing of it. `x in list` is `contains(list, x)`.
const LOOKING: [&str; 8] =
    ["len", "is_empty", "contains", "index_of", "starts_with", "ends_with", "type_of", "is_shared"];

/// A step into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ValueStep {
    Name(ImmutableString),
    Index(usize),
}

impl fmt::Display for ValueStep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueStep::Name(name) if is_identifier(name) => write!(formatter, ".{name}"),
            ValueStep::Name(name) => write!(formatter, "[{name:?}]"),
            ValueStep::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}

fn is_identifier(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// One access in a script: `process.ring[n].name`.
pub(super) struct Site {
    start: Position,
    /// What is reached behind the first name.
    pub rest: Vec<Link>,
    pub kind: AccessManner,
    /// Whether the value is only looked at: compared, counted.
    pub only_looks: bool,
}

/// One file: its accesses, by the position that rhai names.
struct ScriptFile {
    /// As people know it.
    name: String,
    lines: Vec<String>,
    sites: HashMap<Position, Site>,
    /// Where each function stands, and its name.
    functions: Vec<(Position, Position, String)>,
}

/// All accesses of a script and of what it imports.
#[derive(Default)]
pub struct Sites {
    /// By path as an `import` has it; none for the script itself.
    files: HashMap<Option<String>, ScriptFile>,
    /// The variables by which parts of values are named.
    variables: BTreeSet<ImmutableString>,
}

impl Sites {
    /// Adds a file that compiles; of another, nothing is known.
    pub(in crate::script) fn add(&mut self, engine: &Engine, import: Option<&str>, name: String, source: &str) {
        let lines = source.lines().map(|line| line.trim().to_owned()).collect();
        let mut file = ScriptFile { name, lines, sites: HashMap::new(), functions: Vec::new() };
        if let Ok(script) = engine.compile(source) {
            file.functions = functions(&script);
            script.walk(&mut |nodes| {
                if let Some((position, site)) = site(nodes) {
                    for link in &site.rest {
                        self.variables.extend(link.variables().iter().cloned());
                    }
                    file.sites.insert(position, site);
                }
                true
            });
        }
        self.files.insert(import.map(str::to_owned), file);
    }

    /// The files, as people know them.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.values().map(|file| file.name.as_str())
    }

    /// Whether a part of a value may be named by this variable.
    pub(in crate::script) fn wants(&self, variable: &str) -> bool {
        self.variables.contains(variable)
    }

    pub(super) fn site(&self, source: Option<&str>, position: Position) -> Option<&Site> {
        self.file(source)?.sites.get(&position)
    }

    pub(super) fn place(&self, source: Option<&str>, position: Position) -> ScriptPlace {
        let Some(file) = self.file(source) else { return ScriptPlace::default() };
        let start = file.sites.get(&position).map(|site| site.start).filter(|start| start.line() == position.line());
        let line = position.line();
        let text = line.and_then(|line| file.lines.get(line - 1)).map(|text| text.chars().take(200).collect());
        let around = file.functions.iter().filter(|(from, to, _)| (*from..=*to).contains(&position));
        let innermost = around.max_by_key(|(from, ..)| *from);
        ScriptPlace {
            file: file.name.clone(),
            line,
            column: start.unwrap_or(position).position(),
            function: innermost.map(|(.., name)| name.clone()),
            text: text.unwrap_or_default(),
        }
    }

    fn file(&self, source: Option<&str>) -> Option<&ScriptFile> {
        self.files.get(&source.filter(|source| !source.is_empty()).map(str::to_owned))
    }
}

fn functions(script: &AST) -> Vec<(Position, Position, String)> {
    let written = script.iter_fn_def().filter(|function| !function.name.contains('$'));
    written
        .map(|function| (function.body.start_position(), function.body.end_position(), function.name.to_string()))
        .collect()
}

/// The access that begins with this node, and the position that rhai names of it.
fn site(nodes: &[ASTNode<'_>]) -> Option<(Position, Site)> {
    let (node, above) = nodes.split_last()?;
    let &ASTNode::Expr(root) = node else { return None };
    let (Expr::Dot(..) | Expr::Index(..)) = root else { return None };
    let (start, position, rest) = chain::links(root)?;
    let (assigned, compared) = above.last().map_or((None, false), |parent| usage(parent, root));
    let last = rest.last().or(position.first.as_ref());
    let method = last.and_then(Link::method);
    let kind = match (assigned, method, last) {
        (Some(true), ..) => AccessManner::Augmented,
        (_, Some(_), _) => AccessManner::Call,
        (.., Some(Link::Name(_))) => AccessManner::Attribute,
        _ => AccessManner::Item,
    };
    let only_looks = compared || method.is_some_and(|name| LOOKING.contains(&name));
    Some((position.position, Site { start, rest, kind, only_looks }))
}

/// Whether a statement assigns to an expression, and by an operator such as `+=`; and whether it is only compared.
fn usage(parent: &ASTNode<'_>, root: &Expr) -> (Option<bool>, bool) {
    match parent {
        ASTNode::Stmt(Stmt::Assignment(assignment)) if std::ptr::eq(&assignment.1.lhs, root) => {
            (Some(assignment.0.is_op_assignment()), false)
        }
        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)) => {
            (None, compares(&call.op_token) || LOOKING.contains(&call.name.as_str()))
        }
        _ => (None, false),
    }
}

fn compares(operator: &Option<Token>) -> bool {
    use Token::{EqualsTo, GreaterThan, GreaterThanEqualsTo, In, LessThan, LessThanEqualsTo, NotEqualsTo, NotIn};
    let compare = [EqualsTo, NotEqualsTo, LessThan, LessThanEqualsTo, GreaterThan, GreaterThanEqualsTo, In, NotIn];
    operator.as_ref().is_some_and(|operator| compare.contains(operator))
}
