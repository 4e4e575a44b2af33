//! Reads a Rust file as tokens: what it declares, imports and names. Tests are left out.

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A name that a `use` brings into a file.
pub struct Import {
    /// The path that stands behind it.
    pub path: Vec<String>,
    /// `pub use`: others may reach the item through this file.
    pub is_public: bool,
}

/// One file of the program, as far as the floors look at it.
#[derive(Default)]
pub struct Source {
    /// The path of its module below the crate. Empty for `lib.rs`.
    pub module: Vec<String>,
    /// The modules that it declares with `mod name;`.
    pub children: Vec<String>,
    pub imports: BTreeMap<String, Import>,
    /// What `use path::*` opens.
    pub globs: Vec<Vec<String>>,
    /// Each path outside of `use`, also of one word.
    pub paths: Vec<Vec<String>>,
    /// The types at module level that others can see.
    pub public_types: Vec<String>,
}

impl Source {
    /// Reads the text of a module such as `script::state`.
    pub fn read(module: &str, text: &str) -> Self {
        let module = module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let mut source = Self { module, ..Self::default() };
        let mut tokens = Vec::new();
        flatten(text.parse().expect("a file of the program is Rust"), &mut tokens);
        source.items(&without_tests(&tokens));
        source
    }

    fn items(&mut self, tokens: &[String]) {
        let (mut at, mut depth, mut is_public) = (0, 0_usize, false);
        while at < tokens.len() {
            let next = tokens.get(at + 1).map_or("", String::as_str);
            match tokens[at].as_str() {
                "pub" => {
                    is_public = true;
                    // Of `pub(super)`.
                    at = if next == "(" { end_of_group(tokens, at + 1) } else { at + 1 };
                    continue;
                }
                "use" if next != "<" => {
                    let end = (at..tokens.len()).find(|&at| tokens[at] == ";").expect("a use ends");
                    self.import(&tokens[at + 1..end], &[], is_public);
                    at = end;
                }
                "mod" => {
                    assert_eq!(tokens[at + 2], ";", "a module in a file of its own: {next}");
                    self.children.push(next.to_owned());
                    at += 1;
                }
                "struct" | "enum" | "trait" | "type" | "union" if depth == 0 && is_word(next) => {
                    self.public_types.extend(is_public.then(|| next.to_owned()));
                    at += 1;
                }
                "{" => depth += 1,
                "}" => depth -= 1,
                word if is_word(word) => {
                    let end = end_of_path(tokens, at);
                    self.paths.push(tokens[at..end].iter().filter(|part| is_word(part)).cloned().collect());
                    at = end - 1;
                }
                _ => {}
            }
            is_public = false;
            at += 1;
        }
    }

    /// Takes in one tree of a `use`: `super::{Program, state::{self, Value as Held}}`.
    fn import(&mut self, tree: &[String], before: &[String], is_public: bool) {
        let mut path = before.to_vec();
        let mut at = 0;
        while at < tree.len() {
            match tree[at].as_str() {
                "{" => {
                    for branch in branches(&tree[at + 1..end_of_group(tree, at) - 1]) {
                        self.import(branch, &path, is_public);
                    }
                    return;
                }
                "*" => return self.globs.push(path),
                "as" => {
                    let import = Import { path, is_public };
                    // A nameless trait is as good as used.
                    let name =
                        if tree[at + 1] == "_" { format!("_{}", self.imports.len()) } else { tree[at + 1].clone() };
                    self.imports.insert(name, import);
                    return;
                }
                "self" if !path.is_empty() => {}
                word if is_word(word) => path.push(word.to_owned()),
                _ => {}
            }
            at += 1;
        }
        if let Some(name) = path.last().cloned() {
            self.imports.insert(name, Import { path, is_public });
        }
    }
}

fn flatten(stream: TokenStream, into: &mut Vec<String>) {
    for token in stream {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                into.push(open.to_owned());
                flatten(group.stream(), into);
                into.push(close.to_owned());
            }
            TokenTree::Literal(_) => into.push("0".to_owned()),
            TokenTree::Ident(_) | TokenTree::Punct(_) => into.push(token.to_string()),
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Behind the bracket that closes the one at `open`.
fn end_of_group(tokens: &[String], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Behind `word::word::word`.
fn end_of_path(tokens: &[String], start: usize) -> usize {
    let mut end = start + 1;
    while tokens[end..].len() > 2 && tokens[end] == ":" && tokens[end + 1] == ":" && is_word(&tokens[end + 2]) {
        end += 3;
    }
    end
}

/// The parts of a group, taken apart at its commas.
fn branches(tokens: &[String]) -> Vec<&[String]> {
    let (mut branches, mut start, mut at) = (Vec::new(), 0, 0);
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => at = end_of_group(tokens, at),
            "," => {
                branches.push(&tokens[start..at]);
                at += 1;
                start = at;
            }
            _ => at += 1,
        }
    }
    branches.push(&tokens[start..]);
    branches.retain(|branch| !branch.is_empty());
    branches
}

/// The tokens without the items that stand under `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let attribute = tokens[at] == "#" && tokens.get(at + 1).is_some_and(|next| next == "[");
        if !attribute {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let end = end_of_group(tokens, at + 1);
        let words = &tokens[at + 2..end];
        let is_test =
            words[0] == "cfg" && words.iter().any(|word| word == "test") && !words.iter().any(|word| word == "not");
        if is_test {
            at = end_of_item(tokens, end);
        } else {
            kept.extend_from_slice(&tokens[at..end]);
            at = end;
        }
    }
    kept
}

/// Behind the `;` or the block that ends an item.
fn end_of_item(tokens: &[String], start: usize) -> usize {
    let is_use = tokens[start..].iter().find(|token| *token != "pub").is_some_and(|token| token == "use");
    let mut at = start;
    while at < tokens.len() {
        match tokens[at].as_str() {
            ";" => return at + 1,
            "{" if !is_use => return end_of_group(tokens, at),
            "(" | "[" | "{" => at = end_of_group(tokens, at),
            _ => at += 1,
        }
    }
    at
}
