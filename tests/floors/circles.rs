//! Which file uses which, and the circles among them.
//!
//! A file uses the one that *defines* an item: where a parent hands on what a child defines (`pub use`), who takes it
//! from the parent uses the child. `mod x;` and a `pub use` that the file itself does not need are no use.
//!
//! A parent stands above its children, as a floor above the ones below: it may use each of them, and they may use the
//! words that it defines. Only through files beside it can a parent be in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// All files, by the path of their module.
pub struct Crate {
    files: BTreeMap<Vec<String>, Source>,
}

impl Crate {
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        Self { files: sources.into_iter().map(|source| (source.module.clone(), source)).collect() }
    }

    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.files.values()
    }

    /// The files that each file uses.
    pub fn uses(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.files.values().map(|source| (source.module.join("::"), self.used_by(source))).collect()
    }

    fn used_by(&self, source: &Source) -> BTreeSet<String> {
        let needed: BTreeSet<&String> = source.paths.iter().map(|path| &path[0]).collect();
        let imports = source.imports.iter().filter(|(name, import)| !import.is_public || needed.contains(name));
        // A module that a `use` names is used by what is taken from it.
        let imported = imports.map(|(_, import)| &import.path).filter(|path| !self.is_module(source, path));
        let paths = source.paths.iter().filter(|path| path.len() > 1);
        let targets = imported.chain(paths).filter_map(|path| self.defining(&source.module, path, 0));
        let globs = source.globs.iter().filter_map(|path| self.defining(&source.module, path, 0));
        // The file itself, and what stands below it.
        let is_own = |used: &Vec<String>| used.starts_with(&source.module) && !used.is_empty();
        targets.chain(globs).filter(|used| !is_own(used)).map(|used| used.join("::")).collect()
    }

    fn is_module(&self, source: &Source, path: &[String]) -> bool {
        absolute(&source.module, path).is_some_and(|path| self.files.contains_key(&path))
            || self.files.contains_key(&[&source.module, path].concat())
    }

    /// The module whose file defines what `path` names, as the module `from` sees it. None: it is of another crate.
    fn defining(&self, from: &[String], path: &[String], hops: usize) -> Option<Vec<String>> {
        let (mut module, rest) = self.start(from, path, hops)?;
        for (at, name) in rest.iter().enumerate() {
            let child = [module.clone(), vec![name.clone()]].concat();
            if self.files.contains_key(&child) {
                module = child;
                continue;
            }
            let source = self.files.get(&module)?;
            let Some(import) = source.imports.get(name) else { break };
            let through = [import.path.clone(), rest[at + 1..].to_vec()].concat();
            return if hops < 8 { self.defining(&module, &through, hops + 1) } else { None };
        }
        Some(module)
    }

    /// The module where a path starts, and what follows.
    fn start(&self, from: &[String], path: &[String], hops: usize) -> Option<(Vec<String>, Vec<String>)> {
        if path[0] == "crate" {
            return Some((Vec::new(), path[1..].to_vec()));
        }
        if path[0] == "self" {
            return Some((from.to_vec(), path[1..].to_vec()));
        }
        let up = path.iter().take_while(|part| *part == "super").count();
        if up > 0 {
            return Some((from[..from.len().checked_sub(up)?].to_vec(), path[up..].to_vec()));
        }
        let source = self.files.get(from)?;
        if source.children.contains(&path[0]) {
            return Some((from.to_vec(), path.to_vec()));
        }
        let import = source.imports.get(&path[0])?;
        // `use serde_json;` stands behind itself.
        if import.path[0] == path[0] || hops > 8 {
            return None;
        }
        self.start(from, &[import.path.clone(), path[1..].to_vec()].concat(), hops + 1)
    }

    /// The names of public types that stand in more than one file.
    pub fn types_twice(&self) -> BTreeMap<String, Vec<String>> {
        let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for source in self.sources() {
            for name in &source.public_types {
                owners.entry(name.clone()).or_default().push(source.module.join("::"));
            }
        }
        owners.retain(|_, owners| owners.len() > 1);
        owners
    }
}

fn absolute(from: &[String], path: &[String]) -> Option<Vec<String>> {
    match path[0].as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([from, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some([&from[..from.len().checked_sub(up)?], &path[up..]].concat())
        }
        _ => None,
    }
}

/// The largest groups in which each file uses each other one, directly or through others.
pub fn circles(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = uses.keys().map(|file| (file, reached(uses, file))).collect();
    let mut circles = BTreeSet::new();
    for file in uses.keys().filter(|file| reach[file].contains(file)) {
        let back = |other: &&String| reach.get(other).is_some_and(|reached| reached.contains(file));
        circles.insert(reach[file].iter().copied().filter(back).cloned().collect::<BTreeSet<String>>());
    }
    circles.into_iter().collect()
}

fn reached<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<&String> = uses[from].iter().collect();
    while let Some(file) = ahead.pop() {
        if reached.insert(file) {
            ahead.extend(uses.get(file).into_iter().flatten());
        }
    }
    reached
}
