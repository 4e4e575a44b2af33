//! `runner definitions [DIR]`: what scripts can use, for editors.

use super::arguments::Definitions;
use super::{Exit, print};
use crate::script::definitions;

pub(super) fn definitions(arguments: &Definitions) -> Exit {
    let mut written = String::new();
    for (name, text) in definitions::files() {
        let path = arguments.folder.join(name);
        if let Err(error) = std::fs::create_dir_all(&arguments.folder).and_then(|()| std::fs::write(&path, text)) {
            let advice = "name another folder: runner definitions DIR";
            print::error(&format!("cannot write {}: {error}", path.display()), Some(advice));
            return Exit::CouldNotRun;
        }
        written += &format!("wrote {}\n", path.display());
    }
    print::out(&written)
}
