//! What stands behind a name in a chain such as `process.ring[n].name`.

use rhai::{AST, ASTFlags, Dynamic, Engine, Expr, FnCallExpr, ImmutableString, Module, Position, Scope, Stmt};

/// One link of a chain.
pub(super) enum Link {
    /// `.name`.
    Name(ImmutableString),
    /// `[index]` or `.get(index)`.
    Index(Option<IndexScript>),
    /// `.method(..)`.
    Method(String),
}

/// An index that has no effects, as a script of its own.
pub(super) struct IndexScript {
    script: AST,
    variables: Vec<ImmutableString>,
}

/// Where the first link of a chain stands, and what it is.
pub(super) struct ChainStart {
    pub position: Position,
    pub first: Option<Link>,
}

impl Link {
    pub fn method(&self) -> Option<&str> {
        match self {
            Link::Method(name) => Some(name),
            _ => None,
        }
    }

    pub fn variables(&self) -> &[ImmutableString] {
        match self {
            Link::Index(Some(index)) => &index.variables,
            _ => &[],
        }
    }
}

impl IndexScript {
    fn new(index: &Expr) -> Option<IndexScript> {
        let (mut index, mut variables) = (index.clone(), Vec::new());
        alone(&mut index, &mut variables)?;
        Some(IndexScript { script: AST::new([Stmt::Expr(Box::new(index))], Module::new()), variables })
    }

    /// What the index is, with these values of its variables.
    pub fn value(&self, engine: &Engine, value: impl Fn(&str) -> Option<Dynamic>) -> Option<Dynamic> {
        let mut scope = Scope::new();
        for name in &self.variables {
            if let Some(value) = value(name) {
                scope.push_dynamic(name.as_str(), value);
            }
        }
        engine.eval_ast_with_scope(&mut scope, &self.script).ok()
    }
}

/// Of a chain: where it starts, its first link, and the links behind that.
pub(super) fn links(root: &Expr) -> Option<(Position, ChainStart, Vec<Link>)> {
    let mut links = Vec::new();
    let (Expr::Dot(pair, ..) | Expr::Index(pair, ..)) = root else { return None };
    let start = pair.lhs.start_position();
    follow(root, &mut links);
    let mut links = links.into_iter();
    let (position, first) = links.next()?;
    Some((start, ChainStart { position, first: Some(first) }, links.map(|(_, link)| link).collect()))
}

/// Adds the links of a chain, as rhai goes along them.
fn follow(parent: &Expr, links: &mut Vec<(Position, Link)>) {
    let (dots, pair, flags, at) = match parent {
        Expr::Dot(pair, flags, at) => (true, pair, flags, *at),
        Expr::Index(pair, flags, at) => (false, pair, flags, *at),
        _ => return,
    };
    match &pair.rhs {
        Expr::Dot(next, ..) | Expr::Index(next, ..) if dots || !flags.intersects(ASTFlags::BREAK) => {
            links.push(link(dots, &next.lhs, at));
            follow(&pair.rhs, links);
        }
        last => links.push(link(dots, last, at)),
    }
}

fn link(dots: bool, expression: &Expr, at: Position) -> (Position, Link) {
    match expression {
        Expr::Property(property, position) if dots => (*position, Link::Name(property.2.clone())),
        Expr::MethodCall(call, position) if dots => (*position, of_method(call)),
        index => (at, Link::Index(IndexScript::new(index))),
    }
}

fn of_method(call: &FnCallExpr) -> Link {
    match call.args.as_slice() {
        [index] if call.name == "get" => Link::Index(IndexScript::new(index)),
        _ => Link::Method(call.name.to_string()),
    }
}

/// Makes an expression stand by itself: it finds its variables by name. None of one that may have effects.
fn alone(expression: &mut Expr, variables: &mut Vec<ImmutableString>) -> Option<()> {
    match expression {
        Expr::Variable(variable, short, _) => {
            if !variable.2.is_empty() {
                return None;
            }
            (variable.0, *short) = (None, None);
            variables.push(variable.1.clone());
        }
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => {
            alone(&mut pair.lhs, variables)?;
            alone(&mut pair.rhs, variables)?;
        }
        Expr::FnCall(call, _) => {
            call.op_token.as_ref()?;
            call.args.iter_mut().try_for_each(|argument| alone(argument, variables))?;
        }
        Expr::InterpolatedString(parts, _) => parts.iter_mut().try_for_each(|part| alone(part, variables))?,
        Expr::Coalesce(parts, _) => parts.iter_mut().try_for_each(|part| alone(part, variables))?,
        Expr::Stmt(block) => {
            let [Stmt::Expr(inner)] = block.as_mut().as_mut() else { return None };
            let mut inner = std::mem::take(&mut **inner);
            alone(&mut inner, variables)?;
            *expression = inner;
        }
        Expr::Property(..) => {}
        constant if constant.is_constant() => {}
        _ => return None,
    }
    Some(())
}
