//! The matrix: key paths, the values that each takes in turn, and every combination of them.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decode::InvalidPaths;
use super::problem::{Problem, Problems};
use super::source::Span;
use super::suggest;
use super::toml_tree::{self, Segment};

/// More variants than this are a slip.
const MOST_VARIANTS: usize = 1000;
const MOST_REPEATS: i64 = 1000;

/// One key path and its values.
#[derive(Debug, Clone)]
pub(super) struct MatrixAxis<'i> {
    /// The key path, dotted.
    pub key: String,
    pub span: Span,
    pub values: Vec<Spanned<DeValue<'i>>>,
    path: Vec<Segment>,
}

impl MatrixAxis<'_> {
    /// The last step of the key path.
    pub fn short(&self) -> &str {
        self.path.last().map_or(self.key.as_str(), |(name, _)| name)
    }
}

/// All axes, in the order of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Matrix<'i> {
    pub axes: Vec<MatrixAxis<'i>>,
    pub repeats: u32,
}

/// Writes nested tables of the matrix (`load.sleep = [...]`) as flat key paths (`"load.sleep" = [...]`).
pub(super) fn flatten(tree: &mut DeTable<'_>, problems: &mut Problems) {
    let Some(DeValue::Table(matrix)) = tree.get_mut("matrix").map(Spanned::get_mut) else { return };
    let mut flat = DeTable::new();
    flatten_into(&mut flat, "", std::mem::take(matrix), problems);
    *matrix = flat;
}

fn flatten_into<'i>(flat: &mut DeTable<'i>, prefix: &str, table: DeTable<'i>, problems: &mut Problems) {
    for (key, value) in table {
        let (span, name) = (key.span(), format!("{prefix}{}", key.get_ref()));
        let at = value.span();
        match value.into_inner() {
            DeValue::Table(inner) if !inner.is_empty() => flatten_into(flat, &format!("{name}."), inner, problems),
            _ if flat.contains_key(name.as_str()) => {
                let problem = Problem::new(format!("the matrix gives `{name}` twice"));
                problems.add(problem.at(&span, "given before").help("join the two lists"));
            }
            value => {
                flat.insert(Spanned::new(span, name.into()), Spanned::new(at, value));
            }
        }
    }
}

/// Takes the matrix out of the tree. Axes that are wrong are problems, and left out.
pub(super) fn take<'i>(tree: &mut DeTable<'i>, problems: &mut Problems, spoilt: &mut InvalidPaths) -> Matrix<'i> {
    let mut matrix = Matrix { axes: Vec::new(), repeats: 1 };
    let Some((key, value)) = tree.remove_entry("matrix") else { return matrix };
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        let problem = Problem::new("`matrix` must be a table").at(&key.span(), "this is something else");
        problems.add(problem.help("write [matrix], and below it \"load.sleep\" = [\"1ms\", \"10ms\"]"));
        spoilt.add_section("matrix");
        return matrix;
    };
    if table.is_empty() {
        let problem = Problem::new("an empty matrix").at(&span, "nothing varies");
        problems.add(
            problem.help("add a key path and its values, as in \"load.sleep\" = [\"1ms\", \"10ms\"], or remove it"),
        );
    }
    for (key, value) in table {
        if key.get_ref() == "repeats" {
            matrix.repeats = read_repeats(&value, problems).unwrap_or(1);
            continue;
        }
        match read_axis(&key, value, problems, spoilt) {
            Some(axis) => matrix.axes.push(axis),
            None => spoilt.add_axis(key.get_ref()),
        }
    }
    if !matrix.knows_its_servers(tree) {
        spoilt.add_axis("server");
    }
    let count = matrix.axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.values.len()));
    if count.is_none_or(|count| count > MOST_VARIANTS) {
        let count = count.map_or("too many".to_owned(), |count| count.to_string());
        problems.add(
            Problem::new(format!("the matrix has {count} variants"))
                .at(&span, format!("more than {MOST_VARIANTS}"))
                .help("leave out values, or make several scenarios of it"),
        );
    }
    matrix
}

fn read_repeats(value: &Spanned<DeValue<'_>>, problems: &mut Problems) -> Option<u32> {
    let number = value.get_ref().as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
    let fits = number.filter(|number| (1..=MOST_REPEATS).contains(number));
    if fits.is_none() {
        let problem = Problem::new(format!("`repeats` must be a whole number from 1 to {MOST_REPEATS}"));
        problems.add(
            problem
                .at(&value.span(), "not such a number")
                .help("write how many trials each variant gets, as in repeats = 3"),
        );
    }
    fits.and_then(|number| u32::try_from(number).ok())
}

fn read_axis<'i>(
    key: &Spanned<toml::de::DeString<'i>>,
    value: Spanned<DeValue<'i>>,
    problems: &mut Problems,
    spoilt: &InvalidPaths,
) -> Option<MatrixAxis<'i>> {
    let (span, key) = (key.span(), key.get_ref().to_string());
    let Some(path) = axis_path(&key, &span, problems) else {
        let problem = Problem::new(format!("`{key}` is not a key path")).at(&span, "not the path of a key");
        problems.add(problem.help("write the path of a key, as in \"load.sleep\""));
        return None;
    };
    if path[0].0 == "matrix" {
        problems.add(Problem::new("a matrix of a matrix").at(&span, "").help("vary a key of another section"));
        return None;
    }
    let list = value.span();
    let DeValue::Array(values) = value.into_inner() else {
        let problem = Problem::new(format!("the matrix must give `{key}` a list")).at(&list, "this is not a list");
        problems.add(problem.help(format!("write its values in brackets: \"{key}\" = [\"a\", \"b\"]")));
        return None;
    };
    if values.is_empty() && spoilt.touches(&["matrix", &key]) {
        return None;
    }
    if values.is_empty() {
        let problem = Problem::new(format!("the matrix has no values for `{key}`")).at(&list, "an empty list");
        problems.add(problem.help("give it at least one value, or remove the key"));
        return None;
    }
    let mut kept: Vec<Spanned<DeValue<'i>>> = Vec::new();
    for value in values {
        let json = toml_tree::to_json(&value);
        if let Some(same) = kept.iter().find(|kept| toml_tree::to_json(kept) == json) {
            let problem = Problem::new(format!("the matrix gives `{key}` the same value twice"));
            let problem = problem.at(&value.span(), "again").also(&same.span(), "first here");
            problems.add(problem.help("remove one; for several trials of each variant, use repeats = 3"));
        } else {
            kept.push(value);
        }
    }
    Some(MatrixAxis { key, span, values: kept, path })
}

/// The steps of a key path; where the key is quoted, each with its own place in it.
fn axis_path(key: &str, span: &Span, problems: &Problems) -> Option<Vec<Segment>> {
    let written = problems.sources.text(span);
    if written.get(1..written.len().saturating_sub(1)) == Some(key) {
        return toml_tree::parse_path(key, span.start + 1);
    }
    let path = toml_tree::parse_path(key, 0)?;
    Some(path.into_iter().map(|(name, _)| (name, span.clone())).collect())
}

/// A value as people read it.
fn shown(value: &Spanned<DeValue<'_>>) -> String {
    match toml_tree::to_json(value) {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// What the matrix sets in one variant: an index of a value for each axis.
pub(super) type Choice = Vec<usize>;

impl<'i> Matrix<'i> {
    /// Every combination, the last axis changing fastest; one without any axis.
    pub fn choices(&self) -> impl Iterator<Item = Choice> {
        let mut next = Some(vec![0; self.axes.len()]);
        let sizes: Vec<usize> = self.axes.iter().map(|axis| axis.values.len()).collect();
        std::iter::from_fn(move || {
            let current = next.take()?;
            let mut after = current.clone();
            for axis in (0..sizes.len()).rev() {
                after[axis] += 1;
                if after[axis] < sizes[axis] {
                    next = Some(after);
                    break;
                }
                after[axis] = 0;
            }
            Some(current)
        })
        .take(MOST_VARIANTS)
    }

    /// The key paths and values of a combination.
    pub fn settings(&self, choice: &Choice) -> Vec<(String, serde_json::Value)> {
        self.chosen(choice).map(|(axis, value)| (axis.key.clone(), toml_tree::to_json(value))).collect()
    }

    /// `mode=async sleep=10ms`; whole key paths where the last steps are the same.
    pub fn name(&self, choice: &Choice) -> String {
        let shown = self.chosen(choice).map(|(axis, value)| {
            let ambiguous = self.axes.iter().filter(|other| other.short() == axis.short()).count() > 1;
            format!("{}={}", if ambiguous { &axis.key } else { axis.short() }, shown(value))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// The tree with the values of a combination in it.
    pub fn apply(
        &self,
        tree: &DeTable<'i>,
        choice: &Choice,
        problems: &mut Problems,
        spoilt: &InvalidPaths,
    ) -> DeTable<'i> {
        let mut tree = tree.clone();
        self.pick_server(&mut tree, choice, problems, spoilt);
        for (axis, value) in self.chosen(choice).filter(|(axis, _)| axis.key != "server") {
            if let Err(depth) = toml_tree::set(&mut tree, &axis.path, value.clone()) {
                let (name, span) = &axis.path[depth - 1];
                let problem =
                    Problem::new(format!("`{name}` is not a table")).at(span, "the file has a plain value here");
                problems.add(problem.help("vary that key itself, or one inside a table"));
            }
        }
        tree
    }

    /// Puts the named one of `[servers]`, or the only one, in the place of `[server]`.
    fn pick_server(&self, tree: &mut DeTable<'i>, choice: &Choice, problems: &mut Problems, spoilt: &InvalidPaths) {
        let servers = tree.remove("servers").map(Spanned::into_inner);
        let Some(DeValue::Table(servers)) = servers else { return };
        let picked = match self.chosen(choice).find(|(axis, _)| axis.key == "server") {
            None if servers.len() == 1 => servers.iter().next(),
            None => None,
            Some((_, value)) => {
                let name = &shown(value);
                let found = servers.iter().find(|(key, _)| key.get_ref() == name);
                if found.is_none() && !spoilt.covers(&["servers", name]) {
                    let known: Vec<&str> = servers.keys().map(|key| key.get_ref().as_ref()).collect();
                    let problem = Problem::new(format!("unknown server `{name}`"));
                    let problem = problem.at(&value.span(), format!("there is no [servers.{name}]"));
                    problems.add(problem.help(suggest::help(name, "servers", &known)));
                }
                found
            }
        };
        if let Some((key, server)) = picked {
            tree.insert(Spanned::new(key.span(), "server".into()), server.clone());
        }
    }

    /// Whether there is a server for every name that it picks one by.
    pub fn knows_its_servers(&self, tree: &DeTable<'_>) -> bool {
        let Some(servers) = tree.get("servers").and_then(|servers| servers.get_ref().as_table()) else { return true };
        let picked = self.axes.iter().filter(|axis| axis.key == "server").flat_map(|axis| &axis.values);
        picked.into_iter().all(|name| servers.contains_key(shown(name).as_str()))
    }

    fn chosen<'a>(
        &'a self,
        choice: &'a Choice,
    ) -> impl Iterator<Item = (&'a MatrixAxis<'i>, &'a Spanned<DeValue<'i>>)> {
        self.axes.iter().zip(choice).map(|(axis, index)| (axis, &axis.values[*index]))
    }

    /// The axis of this key path, or of this last step if that is unambiguous.
    pub fn axis(&self, key: &str) -> Option<&MatrixAxis<'i>> {
        let mut short = self.axes.iter().filter(|axis| axis.short() == key);
        self.axes.iter().find(|axis| axis.key == key).or_else(|| short.next().filter(|_| short.next().is_none()))
    }
}
